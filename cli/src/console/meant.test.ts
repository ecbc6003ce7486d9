import { describe, expect, it } from "vitest";
import { closest, didYouMean } from "./did-you-mean.ts";
import { meant } from "./meant.ts";
import { shortIds } from "./short-ids.ts";

const SOUGHT = {
  noun: "machine",
  none: "This key reaches no machine that is called",
  listedBy: "cmdop machines",
  unknown: "MachineUnknown",
  ambiguous: "MachineAmbiguous",
} as const;
const MACHINES = [
  { id: "m5hYAAAA1", name: "web-1" },
  { id: "m5hYAAAA2", name: "web-2" },
  { id: "Q2w8BBBB1", name: "db" },
];

describe("an id by its beginning", () => {
  it("is the only one that begins so, or the whole one", () => {
    expect(meant("Q2w8", MACHINES, SOUGHT)).toBe(MACHINES[2]);
    expect(meant("m5hYAAAA1", [...MACHINES, { id: "m5hYAAAA12", name: "x" }], SOUGHT)).toBe(MACHINES[0]);
  });

  it("of several is refused, with all of them and their names", () => {
    expect(() => meant("m5hY", MACHINES, SOUGHT)).toThrow(
      expect.objectContaining({
        code: "MachineAmbiguous",
        message: expect.stringMatching(/m5hYAAAA1 \(web-1\), m5hYAAAA2 \(web-2\)/),
      }),
    );
  });

  it.each([
    ["web1", /Did you mean web-1\?/],
    ["Q2", /cmdop machines lists them/],
    ["nothing-like-that", /^cmdop machines lists them/],
  ])("that nothing has (%s) is unknown, with what may be meant", (text, next) => {
    expect(() => meant(text, MACHINES, SOUGHT)).toThrow(
      expect.objectContaining({ code: "MachineUnknown", next: expect.stringMatching(next) }),
    );
  });

  it("is as short as it can be and still one", () => {
    const short = shortIds(["abcdefghijkl", "abcdefghijXY", "12345678zzzz"]);
    expect(["abcdefghijkl", "abcdefghijXY", "12345678zzzz", "elsewhere-1"].map(short)).toEqual([
      "abcdefghijk",
      "abcdefghijX",
      "12345678",
      "elsewhere-1",
    ]);
  });
});

describe("a slip", () => {
  it.each([
    ["wbe-1", "web-1"],
    ["WEB-1", "web-1"],
    ["web-", "web-1"],
    ["dbb", "db"],
  ])("%s is taken for %s", (text, meantName) => {
    expect(closest(text, ["web-1", "db", "mail"])).toContain(meantName);
  });

  it("is not made of another word", () => {
    expect(didYouMean("production", ["web-1", "db"])).toBeUndefined();
  });
});
