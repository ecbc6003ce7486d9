import { afterEach, describe, expect, it, vi } from "vitest";
import { collectPairs, labelChanges } from "./arguments.ts";

afterEach(() => vi.restoreAllMocks());

describe("KEY=VALUE options", () => {
  it("are collected; bytes that are not UTF-8 are refused, not replaced", () => {
    expect(collectPairs("A=b=c", { X: "y" })).toEqual({ X: "y", A: "b=c" });
    // Bytes arrive as half of a surrogate pair: raw-arguments.ts.
    expect(() => collectPairs("A=caf\udce9", undefined)).toThrow("not UTF-8");
    expect(() => collectPairs("=b", undefined)).toThrow("KEY=VALUE");
  });
});

describe("changes of labels", () => {
  it("KEY=VALUE sets, KEY- removes", () => {
    expect(labelChanges(["team=payments", "canary-", "empty=", "a=b=c-"])).toEqual({
      set: { team: "payments", empty: "", a: "b=c-" },
      remove: ["canary"],
    });
  });

  it.each(["team", "=x", "-", ""])("%j is refused", (word) => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(() => labelChanges([word])).toThrow("exit 2");
  });
});
