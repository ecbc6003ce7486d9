import { randomUUID } from "node:crypto";
import { codec, Exec } from "@cmdop/proto";
import { expect, it } from "vitest";
import { Jobs } from "../jobs/index.ts";
import { PLAIN_SHELLS } from "../login/line-shell.ts";
import { Approvals } from "./approvals.ts";
import { asking } from "./asking.ts";

const { serialize, deserialize } = codec(Exec.method.start.input);

const command = (shell: string) => ({
  run: { shell },
  cwd: "",
  env: {},
  timeoutMs: 0,
  stdinOpen: false,
  stdin: new Uint8Array(),
});

it("promise 5: a job's name lets nothing else run, not even when the job is forgotten on the way", async () => {
  const jobs = new Jobs({ maxEndedJobs: 1 });
  try {
    const requester = { keyId: "key", admin: false };
    const jobId = randomUUID();
    await jobs.start(requester, jobId, command("true")).job.ended;
    const request = deserialize(serialize({ jobId, command: { case: "shell", value: "exit 3" } }));
    const answer = await asking(new Approvals(), jobs, { policy: {}, shells: PLAIN_SHELLS })({
      arrival: {
        path: "/cmdop.v1.Exec/Start",
        request,
        signal: new AbortController().signal,
        header: () => undefined,
        inform: () => undefined,
      },
      caller: { door: "relay", keyId: "key", keyName: "key", scopes: new Set(), roots: [] },
      call: randomUUID(),
    });
    await jobs.start(requester, randomUUID(), command("true")).job.ended;
    await expect.poll(() => jobs.knows(requester, jobId)).toBe(false);
    const startsCanceled = answer === "startsNothing";
    const { job } = jobs.start({ ...requester, startsCanceled }, jobId, command("exit 3"));
    expect(await job.ended).toMatchObject({ kind: "canceled" });
  } finally {
    await jobs.shutdown();
  }
});
