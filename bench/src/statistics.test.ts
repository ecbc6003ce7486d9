import { describe, expect, it } from "vitest";
import { callRate, latencies, percentile } from "./statistics.ts";

describe("percentile", () => {
  it.each([
    [0.5, [3, 1, 2], 2],
    [0.5, [4, 3, 2, 1], 2],
    [0.99, Array.from({ length: 100 }, (_, index) => index + 1), 99],
    [1, [1, 5, 3], 5],
    [0, [7, 8], 7],
  ])("%d of %j is %d", (share, samples, expected) => {
    expect(percentile(samples, share)).toBe(expected);
  });

  it("has nothing to say about nothing", () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe("measuring", () => {
  it("warms up, then takes one sample a call", async () => {
    let calls = 0;
    const samples = await latencies(async () => calls++, { count: 5, warmUp: 2 });
    expect(samples).toHaveLength(5);
    expect(calls).toBe(7);
  });

  it("keeps exactly so many in flight, and makes exactly so many calls", async () => {
    let calls = 0;
    let inFlight = 0;
    let most = 0;
    const call = async (): Promise<void> => {
      calls++;
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
    };
    expect(await callRate(call, { count: 50, inFlight: 8 })).toBeGreaterThan(0);
    expect({ calls, most }).toEqual({ calls: 50, most: 8 });
  });

  it("a call that fails ends the measurement", async () => {
    const broken = () => Promise.reject(new Error("no"));
    await expect(callRate(broken, { count: 3, inFlight: 2 })).rejects.toThrow("no");
    await expect(latencies(broken, { count: 3, warmUp: 0 })).rejects.toThrow("no");
  });
});
