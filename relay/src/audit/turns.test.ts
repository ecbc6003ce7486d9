import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

it("promise 9: of many who work at once each waits for its turn, and the thread has others in between", async () => {
  const turns = new Turns();
  let done = 0;
  const perRound: number[] = [];
  const working = Array.from({ length: 64 }, () => turns.take(() => (done += 1)));
  for (let before = 0; before < 64; ) {
    await setImmediate();
    if (done > before) perRound.push(done - before);
    before = done;
  }
  await Promise.all(working);
  expect(perRound).toEqual(Array(64).fill(1));
});

it("work that fails fails for whoever asked for it, and for nobody else", async () => {
  const turns = new Turns();
  const failing = turns.take(() => {
    throw new Error("broken");
  });
  const next = turns.take(() => "done");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("done");
});
