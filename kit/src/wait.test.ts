import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { LONGEST_TIMER_MS, pause, within } from "./wait.ts";

const never = new Promise<never>(() => undefined);

describe("pause", () => {
  it("is whole where nothing ends it", async () => {
    expect(await pause(1)).toBe(true);
  });

  it("ends with its signal, and leaves no listener on it", async () => {
    const controller = new AbortController();
    const waiting = pause(LONGEST_TIMER_MS, { signal: controller.signal });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort();
    expect(await waiting).toBe(false);
    await pause(1, { signal: new AbortController().signal });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  it("does not begin where its signal has aborted", async () => {
    expect(await pause(LONGEST_TIMER_MS, { signal: AbortSignal.abort() })).toBe(false);
  });

  it("does not end at once where it is longer than a timer can be", async () => {
    const controller = new AbortController();
    const waiting = pause(Number.POSITIVE_INFINITY, { signal: controller.signal });
    expect(await Promise.race([waiting, pause(20).then(() => "still waiting")])).toBe("still waiting");
    controller.abort();
    await waiting;
  });
});

describe("within", () => {
  it("gives what the promise gives, or throws what it throws", async () => {
    expect(await within(Promise.resolve(7), 1_000)).toBe(7);
    await expect(within(Promise.reject(new Error("no")), 1_000)).rejects.toThrow("no");
  });

  it("gives up when the time is over, and when the signal aborts", async () => {
    expect(await within(never, 1)).toBeUndefined();
    expect(await within(never, LONGEST_TIMER_MS, { signal: AbortSignal.abort() })).toBeUndefined();
  });

  it("leaves no listener on a signal that lives on", async () => {
    const { signal } = new AbortController();
    for (let call = 0; call < 20; call += 1) await within(Promise.resolve(), 1_000, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("hears a failure that comes too late", async () => {
    const late = Promise.withResolvers<void>();
    expect(await within(late.promise, 1)).toBeUndefined();
    // Unhandled, it would fail this test.
    late.reject(new Error("too late"));
    await pause(1);
  });
});
