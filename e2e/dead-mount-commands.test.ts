import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { DeadMount } from "./support/dead-mount.ts";

/** What hangs is given up after 10 s. */
const TEST_TIMEOUT_MS = 60_000;

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
let mount: DeadMount;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  mount = await DeadMount.mount();
  await client.terminal.execute("true");
});
afterAll(async () => {
  await mount[Symbol.asyncDispose]();
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const file = (): string => path.join(cluster.directory, randomUUID());

/** Commands that hang before they begin, each of which would write a file. */
const hanging = (written: string) => ({
  "its directory": () => client.terminal.execute(`touch ${written}`, { cwd: mount.directory }),
  "a directory below": () => client.terminal.execute(["touch", written], { cwd: `${mount.directory}/below` }),
  "its program": () => client.terminal.execute([`${mount.directory}/touch`, written]),
  "its PATH": () =>
    client.terminal.execute(["touch", written], { env: { PATH: `${mount.directory}:/usr/bin:/bin` } }),
});

describe("promise 1: a file system that never answers", () => {
  it(
    "keeps those waiting whose directory, program or PATH lies there, and nobody else; they are answered truthfully",
    async () => {
      const written = file();
      let answered = 0;
      const stuck = Object.values(hanging(written)).map((execute) => execute().finally(() => answered++));
      const session = client.terminal
        .create({ shell: ["/bin/sh"], cwd: mount.directory })
        .catch((error: Error) => error.message);
      const others = Array.from({ length: 20 }, (_, index) => client.terminal.execute(`echo ${index}`));
      expect((await Promise.all(others)).map(({ stdout }) => Number(stdout))).toEqual(
        others.map((_, i) => i),
      );
      expect(answered).toBe(0);

      for (const result of await Promise.all(stuck)) {
        expect(result).toMatchObject({ outcome: "failed_to_start", exitCode: null });
        expect(result.reason).toContain(mount.directory);
        expect(result.reason).toMatch(/will not be: the file system .* did not answer in \d+\.\d s/);
      }
      expect(await session).toMatch(/did not answer/);
      expect(existsSync(written)).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );

  it.each(["its directory", "its program", "its PATH"] as const)(
    "a time limit holds while a command waits for %s",
    async (what) => {
      const written = file();
      const options = {
        "its directory": { cwd: mount.directory },
        "its program": {},
        "its PATH": { env: { PATH: `${mount.directory}:/usr/bin:/bin` } },
      }[what];
      const program = what === "its program" ? `${mount.directory}/touch` : "touch";
      const result = await client.terminal.execute([program, written], { ...options, timeoutMs: 500 });
      expect(result).toMatchObject({ outcome: "timed_out" });
      expect(result.reason).toMatch(/500 ms passed\. It was not started, and will not be/);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "runs nothing late that was answered before, and at most once what runs",
    async () => {
      const ran = file();
      const stuck = Object.values(hanging(ran)).map((execute) => execute());
      const said = file();
      const others = Array.from({ length: 16 }, () =>
        client.terminal.execute(`echo run >> ${said}`, { timeoutMs: 5_000 }),
      );
      const outcomes = (await Promise.all(others)).map(({ outcome }) => outcome);
      await Promise.all(stuck);
      mount.release();
      await client.terminal.execute("sleep 1");
      expect(existsSync(ran)).toBe(false);
      expect(outcomes).toEqual(others.map(() => "exited"));
      expect((await readFile(said, "utf8")).split("\n")).toHaveLength(others.length + 1);
      // What hung is gone with the mount, and the agent waits for nothing of it.
      expect((await machine.process.stop()).exitCode).toBe(0);
    },
    TEST_TIMEOUT_MS,
  );
});
