import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { until } from "../jobs/test-support.ts";
import type { Log } from "../log.ts";
import { LivePolicy, type PolicyChange } from "./live-policy.ts";

let file: string;
let said: string[];
let changes: PolicyChange[];

beforeEach(async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), "cmdop-live-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  file = path.join(dir, "policy.json");
  said = [];
  changes = [];
});

async function open(text?: string, goneMs?: number): Promise<LivePolicy> {
  if (text !== undefined) await writeFile(file, text, { mode: 0o600 });
  const say = (level: string) => (event: string) => {
    said.push(`${level} ${event}`);
  };
  const log: Log = { info: say("info"), warn: say("warn"), error: say("error") };
  const live = await LivePolicy.open({ file, log, ...(goneMs === undefined ? {} : { goneMs }) });
  live.onChange((change) => changes.push(change));
  onTestFinished(() => live.close());
  return live;
}

it("a broken file refuses the start", async () => {
  await expect(open("{")).rejects.toMatchObject({ code: "InvalidArgument" });
});

it("a changed file comes into force by itself", async () => {
  const live = await open('{"scopes": []}');
  const first = live.hash;
  await writeFile(`${file}.new`, '{"readOnly": true, "redact": ["--pass="]}', { mode: 0o600 });
  await rename(`${file}.new`, file);
  await until(() => live.policy.readOnly === true);
  expect(live.redact("--pass=x")).toBe("--pass=[redacted]");
  expect(live.hash).not.toBe(first);
  expect(changes).toEqual([{ hash: live.hash }]);
});

it.each([
  ["broken", () => writeFile(file, '{"scopes": ["terminal"]'), "in JSON at position"],
  ["open to others", () => chmod(file, 0o666), "written by others"],
])(
  "promise 5: a file that is %s stays out, and the last good one in force, loudly",
  async (_, spoil, why) => {
    const live = await open('{"scopes": ["files:read"]}');
    const { hash } = live;
    await spoil();
    await live.check();
    await live.check();
    expect(live.policy).toEqual({ scopes: ["files:read"] });
    expect(live.error?.message).toMatch(why);
    expect(changes).toEqual([{ hash, error: expect.stringMatching(why) }]);
    expect(said).toEqual(["error policy refused: the last good one stays in force"]);

    await writeFile(file, '{"scopes": ["admin"]}');
    await chmod(file, 0o600);
    await live.check();
    expect(live.error).toBeUndefined();
    expect(live.policy).toEqual({ scopes: ["admin"] });
    expect(changes.at(-1)).toEqual({ hash: live.hash });
  },
);

it("what was right again without another word is in force and said to be", async () => {
  const live = await open("{}");
  await chmod(file, 0o666);
  await live.check();
  await chmod(file, 0o600);
  await live.check();
  expect(live.error).toBeUndefined();
  expect(changes.map(({ error }) => error === undefined)).toEqual([false, true]);
});

it("a file that is gone counts when it stays so, loudly", async () => {
  const live = await open('{"scopes": []}');
  await rm(file);
  const checked = live.check();
  expect(live.policy).toEqual({ scopes: [] });
  await checked;
  expect(live.policy).toEqual({});
  expect(said.at(-1)).toMatch(/^error policy gone/);
  expect(changes.at(-1)).toEqual({ hash: null });

  // A new file takes effect like a changed one.
  await writeFile(file, '{"readOnly": true}', { mode: 0o600 });
  await live.check();
  expect(live.policy).toEqual({ readOnly: true });
});

it("a file that is deleted before it is written again is never gone", async () => {
  const live = await open('{"scopes": []}', 3_000);
  await rm(file);
  const checked = live.check();
  // By now the agent has noticed that it is missing.
  await sleep(100);
  await writeFile(file, '{"scopes": ["admin"]}', { mode: 0o600 });
  await checked;
  expect(live.policy).toEqual({ scopes: ["admin"] });
  expect(said.filter((line) => line.includes("gone"))).toEqual([]);
});
