import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { TypedLines } from "./typed-lines.ts";

const never = new AbortController().signal;

it("what was typed before a question is dropped, also where it is read late and a line at a time", async () => {
  const input = new PassThrough();
  using lines = new TypedLines(input);
  const dropped = lines.drop(never);
  for (let index = 0; index < 5; index += 1) {
    input.write("y\n");
    await sleep(30);
  }
  await dropped;
  const answer = lines.next(never);
  input.write("no\ny\n");
  expect(await answer).toBe("no");
});

it("nobody answers where the signal aborts, or nobody can type any more", async () => {
  const input = new PassThrough();
  using lines = new TypedLines(input);
  const over = new AbortController();
  const answer = lines.next(over.signal);
  over.abort();
  expect(await answer).toBeUndefined();
  expect(lines.isOver).toBe(false);
  const last = lines.next(never);
  input.end();
  expect(await last).toBeUndefined();
  expect(lines.isOver).toBe(true);
  expect(await lines.next(never)).toBeUndefined();
  await lines.drop(never);
});
