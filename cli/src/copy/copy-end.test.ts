import { describe, expect, it, vi } from "vitest";
import { copyEnd } from "./copy-end.ts";

describe("an end of a copy", () => {
  it.each([
    ["m:", "m", "~"],
    ["m:notes.txt", "m", "~/notes.txt"],
    ["m:~/x", "m", "~/x"],
    ["m:~", "m", "~"],
    ["m:/x/", "m", "/x/"],
    ["m:a:b/", "m", "~/a:b/"],
    ["m:./~x", "m", "~/./~x"],
    ["./a:b", undefined, "./a:b"],
    ["/a:b", undefined, "/a:b"],
    ["~/x", undefined, "~/x"],
  ])("%s is on %s, at %s", (text, machine, path) => {
    expect(copyEnd(text)).toEqual({ machine, path });
  });

  it("of another user's home, or of nothing, is wrong use", () => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    for (const text of ["m:~root/x", ""]) expect(() => copyEnd(text)).toThrow("exit 2");
    written.mockRestore();
  });
});
