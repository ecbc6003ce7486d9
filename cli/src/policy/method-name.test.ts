import { METHODS } from "@cmdop/proto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { methodNamed, shortMethod } from "./method-name.ts";

afterEach(() => vi.restoreAllMocks());

describe("the name of a method", () => {
  it.each(["Files/Read", "files.read", "/cmdop.v1.Files/Read", "FILES/READ"])(
    "is understood as %s",
    (text) => {
      expect(methodNamed(text)).toBe("/cmdop.v1.Files/Read");
    },
  );

  it("every method of a machine is found by its short form, none of the relay's", () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    for (const path of Object.keys(METHODS)) {
      const isMachines = path.startsWith("/cmdop.v1.");
      if (isMachines) expect(methodNamed(shortMethod(path))).toBe(path);
      else expect(() => methodNamed(path)).toThrow("exit 2");
    }
  });

  it.each([
    ["Files/Raed", "Files/Read"],
    ["Exec/Run", "Exec/Start"],
    ["x".repeat(10_000), "Did you mean"],
  ])("%s is refused with a suggestion", (text, suggestion) => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(() => methodNamed(text)).toThrow("exit 2");
    expect(String(write.mock.calls[0]?.[0])).toContain(suggestion);
  });
});
