import { Readable, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Outlet } from "./outlet.ts";

const KiB = 1024;

/** A side that reads on when it is told to, and the other, which sends all that is said to it. */
function sides() {
  const from = new Readable({ read: () => undefined });
  from.resume();
  const pending: (() => void)[] = [];
  const to = new Writable({
    write: (_chunk, _encoding, done) => void pending.push(done),
    writev: (_chunks, done) => void pending.push(done),
  });
  const waits: boolean[] = [];
  const outlet = new Outlet(from, to, (now) => waits.push(now));
  const sendOne = async () => {
    pending.shift()?.();
    await new Promise(setImmediate);
  };
  const drain = async () => {
    while (pending.length > 0) await sendOne();
  };
  return { from, to, waits, outlet, sendOne, drain };
}

describe("promise 9: what waits to be passed on", () => {
  it.each([
    ["bytes", 16 * KiB, 8],
    ["pieces, however small", 1, 256],
  ])("is bounded in %s, and goes on when all of it is out", async (_what, bytes, count) => {
    const { from, waits, outlet, drain } = sides();
    for (let written = 1; written < count; written++) outlet.write(Buffer.alloc(bytes));
    expect(from.isPaused()).toBe(false);
    outlet.write(Buffer.alloc(bytes));
    expect([from.isPaused(), waits]).toEqual([true, [true]]);
    await drain();
    expect([from.isPaused(), waits]).toEqual([false, [true, false]]);
    // And it begins anew.
    outlet.write(Buffer.alloc(bytes));
    expect(from.isPaused()).toBe(false);
    await drain();
  });

  it("that is read while it is paused waits until all of it is out", async () => {
    const { from, to, waits, outlet, sendOne, drain } = sides();
    outlet.write(Buffer.alloc(127 * KiB));
    outlet.write(Buffer.alloc(KiB));
    await sendOne();
    // Less than the bound, and all the same the last that is out.
    outlet.write(Buffer.alloc(1));
    expect([from.isPaused(), waits]).toEqual([true, [true]]);
    await drain();
    expect([from.isPaused(), to.writableLength, waits]).toEqual([false, 0, [true, false]]);
  });

  it("to a side that has ended is nothing", () => {
    const { from, to, waits, outlet } = sides();
    to.end();
    outlet.write(Buffer.alloc(128 * KiB));
    expect([from.isPaused(), waits]).toEqual([false, []]);
  });
});
