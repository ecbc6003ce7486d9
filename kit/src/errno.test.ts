import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { errnoOf, isErrno, unless, unlessSync } from "./errno.ts";

const MISSING = "/no/such/file";

const thrownBy = (call: () => unknown): unknown => {
  try {
    call();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("it did not fail");
};

describe("errno", () => {
  it("is what the system said", () => {
    const thrown = thrownBy(() => readFileSync(MISSING));
    expect(errnoOf(thrown)).toBe("ENOENT");
    expect(isErrno(thrown, "EACCES", "ENOENT")).toBe(true);
    expect(isErrno(thrown, "EACCES")).toBe(false);
  });

  it("is nothing for other errors, Node's own among them", () => {
    const own = thrownBy(() => readFileSync("\0"));
    for (const thrown of [own, new Error("ENOENT"), "ENOENT", undefined, null, { code: "ENOENT" }]) {
      expect(errnoOf(thrown)).toBeUndefined();
      expect(isErrno(thrown, "ENOENT")).toBe(false);
    }
  });

  it("excuses the errnos that are named, and no other error", async () => {
    expect(await unless(["ENOENT"], readFile(MISSING))).toBeUndefined();
    await expect(unless(["EACCES"], readFile(MISSING))).rejects.toThrow("ENOENT");
    expect(unlessSync(["ENOENT"], () => readFileSync(MISSING))).toBeUndefined();
    expect(() => unlessSync(["EACCES"], () => readFileSync(MISSING))).toThrow("ENOENT");
    expect(await unless(["ENOENT"], Promise.resolve(1))).toBe(1);
    expect(unlessSync(["ENOENT"], () => 1)).toBe(1);
  });
});
