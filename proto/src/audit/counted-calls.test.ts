import { afterEach, expect, it, vi } from "vitest";
import { type CallTotals, CountedCalls } from "./counted-calls.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** Makes a counter whose records are kept as lines, and functions for calls by name. */
function setUp() {
  const written: string[] = [];
  const disk = { full: false };
  const line = (facts: string, { calls, failed, bytesOut }: CallTotals) =>
    written.push(`${facts}: ${calls} calls, ${failed} failed, ${bytesOut} bytes`);
  const counter = new CountedCalls<string>({
    write: (facts, totals) => {
      if (!disk.full) line(facts, totals);
      return !disk.full;
    },
    windowMs: 1_000,
  });
  const begin = (who: string, name: string) =>
    counter.begin(
      who,
      { kind: { name, facts: name }, coarse: { name: who, facts: `${who}, various` } },
      (facts, totals) => {
        if (disk.full) throw new Error("full");
        line(facts, totals);
      },
    );
  const call = (who: string, name: string, failed = false) =>
    begin(who, name)({ failed, bytesIn: 0, bytesOut: 10 });
  return { written, disk, counter, begin, call };
}

it("writes the first of a window before it goes on, and the rest when the window ends", () => {
  vi.useFakeTimers();
  const { written, call } = setUp();
  for (let count = 0; count < 100; count += 1) call("key", "info", count < 7);
  expect(written).toEqual(["info: 1 calls, 0 failed, 0 bytes"]);
  vi.advanceTimersByTime(1_000);
  expect(written.slice(1)).toEqual(["info: 99 calls, 7 failed, 1000 bytes"]);
  call("key", "info");
  expect(written.slice(2)).toEqual(["info: 1 calls, 0 failed, 0 bytes"]);
});

it("counts an end that comes in another window than its begin", () => {
  const { written, counter, begin } = setUp();
  const end = begin("key", "info");
  counter.flush();
  end({ failed: true, bytesIn: 0, bytesOut: 5 });
  counter.flush();
  expect(written.slice(1)).toEqual(["info: 0 calls, 1 failed, 5 bytes"]);
});

it("a call whose counting can't be written down does not go on; what was counted on a full disk is kept", () => {
  const { written, disk, counter, call } = setUp();
  disk.full = true;
  expect(() => call("key", "info")).toThrow("full");
  disk.full = false;
  call("key", "info");
  call("key", "info");
  disk.full = true;
  counter.flush();
  call("key", "info");
  disk.full = false;
  counter.flush();
  expect(written).toEqual(["info: 1 calls, 0 failed, 0 bytes", "info: 2 calls, 0 failed, 30 bytes"]);
});

it("promise 9: whoever varies what it does is counted more coarsely, and nobody else is", () => {
  const { written, counter, call } = setUp();
  for (let kind = 0; kind < 1_000; kind += 1) call("key", `info of ${kind}`);
  call("other", "info");
  counter.flush();
  expect(written.length).toBeLessThan(80);
  expect(written).toContain("key, various: 967 calls, 0 failed, 9680 bytes");
  expect(written).toContain("info: 1 calls, 0 failed, 0 bytes");
});
