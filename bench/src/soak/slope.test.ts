import { expect, it } from "vitest";
import { slope } from "./slope.ts";

it("a slope is what is gained a minute, whatever the noise and the level", () => {
  expect(slope([])).toBe(0);
  expect(slope([{ atMin: 3, value: 7 }])).toBe(0);
  const rising = Array.from({ length: 40 }, (_, index) => ({
    atMin: 5 + index / 4,
    value: 100 + (index / 4) * 1.5 + (index % 2 === 0 ? 3 : -3),
  }));
  expect(slope(rising)).toBeCloseTo(1.5, 0);
  expect(slope(rising.map(({ atMin }) => ({ atMin, value: 8 })))).toBe(0);
});
