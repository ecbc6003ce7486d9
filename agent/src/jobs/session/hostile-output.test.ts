import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Journal } from "../journal/journal.ts";
import { OutputBudget } from "../journal/output-budget.ts";
import { JOB_LIMITS } from "../limits.ts";
import { SessionTerminal } from "./terminal.ts";

/** Some 60 KB that keep an emulator busy for many seconds: each line of it moves every line of the screen. */
const HOSTILE = "\x1b[2J\x1b[999;999H\x1b[1;1H\x1b[999L".repeat(2_500);

/** A terminal of a key, and what its program writes. */
function terminal(keyId: string) {
  const account = () => new OutputBudget(2 ** 30).account(keyId);
  const journal = new Journal({ limits: JOB_LIMITS, memory: account(), disk: account() });
  const owner = { resize: () => undefined, asked: () => undefined };
  return {
    shown: new SessionTerminal(journal, keyId, { cols: 500, rows: 200 }, owner),
    writes: (text: string) => journal.append("stdout", Buffer.from(text)),
  };
}

test("promise 9: a terminal that would take for ever is given up; all goes on meanwhile, others after it, and it from then on", async () => {
  const hostile = terminal("hostile");
  const other = terminal("other");
  hostile.writes(HOSTILE);
  other.writes("fine");
  const order: string[] = [];
  const ask = async (name: string, terminal: SessionTerminal): Promise<void> => {
    const failure = await terminal.screen().then(
      () => "shown",
      (thrown: { code: string }) => thrown.code,
    );
    order.push(`${name}: ${failure}`);
  };
  const asked = [ask("hostile", hostile.shown), ask("hostile", hostile.shown), ask("other", other.shown)];
  await sleep(1);
  order.push("the agent");
  await Promise.all(asked);
  expect(order).toEqual(["the agent", "hostile: LimitExceeded", "other: shown", "hostile: shown"]);

  hostile.writes("\r\nwhat came after");
  const { lines } = await hostile.shown.screen();
  expect(lines[0]).toBe("what came after");
  expect(await hostile.shown.history(0)).toMatchObject({ truncated: true });
});

test("who leaves gives up its turn", async () => {
  const leaving = new AbortController();
  const { shown, writes } = terminal("key");
  writes("fine");
  const first = shown.screen();
  const second = shown.screen(leaving.signal);
  leaving.abort();
  await expect(second).rejects.toMatchObject({ code: "Canceled" });
  expect((await first).lines[0]).toBe("fine");
});
