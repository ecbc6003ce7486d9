import { describe, expect, it } from "vitest";
import { isoTime, isoTimeOr, parseMoment } from "./time.ts";

const NOW = Date.UTC(2030, 0, 2, 3, 4, 5);

describe("times", () => {
  it.each([
    ["2h", NOW - 7_200_000],
    ["90d", NOW - 90 * 86_400_000],
    ["2030-01-01", Date.UTC(2030, 0, 1)],
    ["2030-01-01T10:00Z", Date.UTC(2030, 0, 1, 10)],
    ["2030-01-01T10:00:30.5+01:00", Date.UTC(2030, 0, 1, 9, 0, 30, 500)],
  ])("%s is read", (text, expected) => {
    expect(parseMoment(text, NOW)).toBe(expected);
  });

  it.each(["", "soon", "0h", "2 h", "2030", "2030-13-01", "2030-01-01T25:00Z", "-2h", "1e9"])(
    "%j is refused",
    (text) => {
      expect(() => parseMoment(text, NOW)).toThrow("2h");
    },
  );

  it("are shown in ISO, to the second; what is no time of a calendar never throws", () => {
    expect(isoTime(NOW + 678)).toBe("2030-01-02T03:04:05Z");
    expect(isoTime(1e300)).toBe("1e+300");
    expect(isoTime(Number.NaN)).toBe("NaN");
    expect(isoTimeOr(null, "never")).toBe("never");
  });
});
