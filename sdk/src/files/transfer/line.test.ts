import { describe, expect, it } from "vitest";
import { Line } from "./line.ts";

/** Returns true if the promise is settled once all pending work has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => {
      settled = true;
    },
    () => undefined,
  );
  await new Promise(setImmediate);
  return settled;
}

describe("a line", () => {
  it("lets as many on as it is wide, the others in their order, and either end of a file once", async () => {
    const line = new Line(2);
    const [a, b, c, d] = [line.turn(), line.turn(), line.turn(), line.turn()];
    expect(await a.begin(undefined)).toBe(false);
    expect(await a.begin(undefined)).toBe(false);
    await b.begin(undefined);
    const waiting = [c.begin(undefined), d.begin(undefined)];
    expect(await Promise.all(waiting.map(isSettled))).toEqual([false, false]);
    a[Symbol.dispose]();
    expect(await Promise.all(waiting.map(isSettled))).toEqual([true, false]);
    expect(await waiting[0]).toBe(true);
  });

  it("gets narrower with each loss, down to one, and wider with each arrival", async () => {
    const line = new Line(4);
    const turns = Array.from({ length: 6 }, () => line.turn());
    for (const turn of turns.slice(0, 4)) await turn.begin(undefined);
    for (const turn of turns.slice(0, 4)) turn.lost();
    const begun = turns.map((turn) => turn.begin(undefined));
    const count = async () => (await Promise.all(begun.map(isSettled))).filter(Boolean).length;
    expect(await count()).toBe(1);
    turns[0]?.arrived();
    expect(await count()).toBe(2);
    for (const turn of turns) turn.arrived();
    expect(await count()).toBe(4);
  });

  it("forgets who has given up waiting", async () => {
    const line = new Line(1);
    const [first, second, third] = [line.turn(), line.turn(), line.turn()];
    await first.begin(undefined);
    const controller = new AbortController();
    const gaveUp = second.begin(controller.signal);
    const waiting = third.begin(undefined);
    controller.abort(new Error("enough"));
    await expect(gaveUp).rejects.toThrow("enough");
    second[Symbol.dispose]();
    expect(await isSettled(waiting)).toBe(false);
    first[Symbol.dispose]();
    expect(await waiting).toBe(true);
  });
});
