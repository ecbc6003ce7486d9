import { afterEach, describe, expect, it, vi } from "vitest";
import { labelChanges } from "./arguments.ts";

afterEach(() => vi.restoreAllMocks());

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
