import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { HeldPipes } from "./held-pipes.ts";

test("promise 9: beyond the bound the oldest pipe of the key that has most is closed, nobody else's", () => {
  const held = new HeldPipes(3);
  const theirs = new PassThrough();
  held.add("other", theirs);
  const mine = Array.from({ length: 4 }, () => new PassThrough());
  for (const pipe of mine) held.add("me", pipe);
  expect(theirs.destroyed).toBe(false);
  expect(mine.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false]);
  held.closeAll();
});
