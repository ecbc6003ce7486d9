import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  type Grant,
  generateKeyPair,
  type KeyPair,
  signJoinToken,
  signMachineRecord,
  signRoster,
  TrustedClock,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Job, Jobs } from "../jobs/index.ts";
import { alive, firstLine, killAfterTest, until } from "../jobs/test-support.ts";
import { Membership } from "../state/membership.ts";
import { OpenCalls } from "./open-calls.ts";
import { checkStanding, type Standing, type Statements } from "./standing.ts";
import { StartedJobs } from "./started-jobs.ts";
import { watchStandings } from "./watch-standings.ts";

const nowS = (): number => Math.floor(Date.now() / 1000);

const owner = generateKeyPair();
const machine = generateKeyPair();
let stateDir: string;
let membership: Membership;
let calls: OpenCalls;
let startedJobs: StartedJobs;
let jobs: Jobs;
let stopWatching: () => void;
let seq = 0;

beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), "cmdop-revocation-"));
  const joinToken = await signJoinToken(
    {
      jti: randomUUID(),
      owner: owner.publicKey,
      relay: { id: generateKeyPair().id, address: "127.0.0.1:1" },
      name: "web-1",
      labels: { team: "payments" },
      uses: 1,
      iat: nowS(),
      exp: nowS() + 60,
    },
    owner,
  );
  membership = await Membership.open(stateDir, machine.id, { joinToken });
  calls = new OpenCalls();
  startedJobs = new StartedJobs(calls, (keyId) => void jobs.endLeftBehind(keyId));
  jobs = new Jobs({ onRunning: (job) => startedJobs.add(job) });
  stopWatching = watchStandings(membership, [calls, startedJobs]);
});
afterEach(async () => {
  vi.useRealTimers();
  stopWatching();
  await jobs.shutdown();
  await rm(stateDir, { recursive: true });
});

function standing(key: KeyPair, more: Partial<Grant> = {}, signer: KeyPair = owner): Standing {
  const grant: Grant = {
    key: key.publicKey,
    name: "deploy",
    scopes: ["terminal"],
    machines: [{ labels: { team: "payments" } }],
    iat: nowS(),
    not_after: nowS() + 3600,
    ...more,
  };
  return { keyId: key.id, granted: { grant, signer: signer.id } };
}

async function roster(statements: { owners?: KeyPair[]; revoked?: KeyPair[] }): Promise<void> {
  seq += 1;
  const { owners = [owner], revoked = [] } = statements;
  const claims = {
    seq,
    iat: nowS(),
    owners: owners.map(({ publicKey }) => publicKey),
    relays: [],
    revoked: revoked.map(({ id }) => id),
  };
  await membership.welcomed({ roster: await signRoster(claims, owner), machineRecord: "" });
}

/** Starts a job by a call of the key; the call has ended when it returns. */
function start(key: KeyPair, right: Standing, line = "sleep 600"): Job {
  const call = calls.enter(key.id, right);
  startedJobs.renew(right);
  const requester = { keyId: key.id, admin: false };
  const command = {
    run: { shell: line },
    cwd: "",
    env: {},
    timeoutMs: 0,
    stdinOpen: false,
    stdin: new Uint8Array(),
  };
  const { job } = jobs.start(requester, randomUUID(), command);
  call.leave();
  return job;
}

const codeOf = ({ reason }: AbortSignal): unknown => reason?.code;

describe("promise 5: a right that has ended ends what is open", () => {
  it("a revoked key's calls end with that reason, nobody else's", async () => {
    const [key, other] = [generateKeyPair(), generateKeyPair()];
    const call = calls.enter(key.id, standing(key));
    const others = calls.enter(other.id, standing(other));
    const local = calls.enter("local", undefined);
    await roster({ revoked: [key] });
    expect(codeOf(call.revoked)).toBe("KeyRevoked");
    expect([others.revoked.aborted, local.revoked.aborted]).toEqual([false, false]);
    await roster({ revoked: [] });
    expect(call.revoked.aborted).toBe(true);
  });

  it.each([
    ["its signer is no owner any more", () => roster({ owners: [generateKeyPair()] }), "GrantRefused"],
    [
      "the machine has another label",
      async () =>
        membership.welcomed({
          roster: "",
          machineRecord: await signMachineRecord(
            { id: machine.id, name: "web-1", labels: { team: "web" }, seq: 1 },
            owner,
          ),
        }),
      "PermissionDenied",
    ],
  ])("a call ends when %s", async (_title, change, code) => {
    const key = generateKeyPair();
    const call = calls.enter(key.id, standing(key));
    const job = start(key, standing(key));
    await change();
    expect(codeOf(call.revoked)).toBe(code);
    expect(await job.ended).toMatchObject({ kind: "canceled" });
  });

  it("a former owner's own calls end", async () => {
    const call = calls.enter(owner.id, { keyId: owner.id });
    await roster({ owners: [generateKeyPair()] });
    expect(codeOf(call.revoked)).toBe("GrantRefused");
  });

  it("a grant ends by itself, within a second, by the clock that can't be turned back", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
    stopWatching();
    membership = await Membership.open(stateDir, machine.id, {});
    stopWatching = watchStandings(membership, [calls, startedJobs]);
    const key = generateKeyPair();
    const call = calls.enter(key.id, standing(key, { not_after: nowS() + 10 }));
    vi.advanceTimersByTime(9_000);
    expect(call.revoked.aborted).toBe(false);
    vi.advanceTimersByTime(1_500);
    expect(codeOf(call.revoked)).toBe("GrantExpired");

    const ahead = calls.enter(key.id, standing(key, { not_after: nowS() + 1_000 }));
    membership.clock.observeOwner(nowS() + 1_000);
    vi.advanceTimersByTime(1_000);
    expect(codeOf(ahead.revoked)).toBe("GrantExpired");
  });

  it("a call that is over is forgotten", () => {
    const call = calls.enter("key", undefined);
    call.leave();
    call.leave();
    expect(calls.size).toBe(0);
  });

  it("promise 9: open calls are bounded, and one key can't have all of them", () => {
    const fill = (keyId: string): number => {
      let entered = 0;
      try {
        for (;;) {
          calls.enter(keyId, undefined);
          entered += 1;
        }
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "LimitExceeded" });
      }
      return entered;
    };
    expect(fill("greedy")).toBe(10_000);
    expect(fill("other")).toBe(3_334);
  });
});

describe("jobs whose starter has gone", () => {
  it("end when the key is revoked, and say why", async () => {
    const [key, other] = [generateKeyPair(), generateKeyPair()];
    const job = start(key, standing(key));
    const others = start(other, standing(other));
    await roster({ revoked: [key] });
    expect(await job.ended).toMatchObject({
      kind: "canceled",
      reason: expect.stringContaining("The owner has revoked this key"),
    });
    expect(others.outcome).toBeUndefined();
  });

  it.each([
    ["nohup", "nohup sleep 600 >/dev/null 2>&1 & echo $!"],
    ["setsid", "setsid sleep 600 >/dev/null 2>&1 & echo $!"],
  ])(
    "and what jobs that had ended before left running by %s, unless the grant lets it live",
    async (_, line) => {
      const [key, living, other] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
      const left = await Promise.all(
        [
          [key, standing(key)] as const,
          [living, standing(living, { jobs: "live" })] as const,
          [other, standing(other)] as const,
        ].map(async ([pair, right]) => {
          const job = start(pair, right, line);
          const pid = Number(await firstLine(job));
          expect(await job.ended).toMatchObject({ kind: "exited", exitCode: 0 });
          return pid;
        }),
      );
      const [revoked = 0, ...others] = left;
      for (const pid of others) killAfterTest(pid);
      await roster({ revoked: [key, living] });
      await until(async () => !(await alive(revoked)));
      expect(await Promise.all(others.map(alive))).toEqual([true, true]);
    },
  );

  it("live on where the grant says so", async () => {
    const key = generateKeyPair();
    const job = start(key, standing(key, { jobs: "live" }));
    const stop = vi.spyOn(job, "stop");
    await roster({ revoked: [key] });
    startedJobs.check(membership);
    expect(stop).not.toHaveBeenCalled();
  });

  it("go by the newest grant that the key has shown", async () => {
    const key = generateKeyPair();
    const ends = nowS() + 100;
    const job = start(key, standing(key, { not_after: ends, iat: nowS() - 10 }));
    startedJobs.renew(standing(key, { not_after: ends + 1_000 }));
    startedJobs.renew(standing(key, { not_after: ends, iat: nowS() - 20 }));
    const at = (second: number): Statements => ({
      clock: new TrustedClock(() => second * 1000),
      identity: membership.identity,
      isOwner: () => true,
      isRevoked: () => false,
    });
    const stop = vi.spyOn(job, "stop");
    startedJobs.check(at(ends + 1));
    expect(stop).not.toHaveBeenCalled();
    startedJobs.check(at(ends + 1_001));
    expect(await job.ended).toMatchObject({ kind: "canceled", reason: expect.stringContaining("ended at") });
  });
});

describe("a standing", () => {
  it("stands while nothing has changed", () => {
    expect(() => checkStanding(standing(generateKeyPair()), membership)).not.toThrow();
    expect(() => checkStanding({ keyId: owner.id }, membership)).not.toThrow();
  });
});
