import { afterEach, expect, it, vi } from "vitest";
import { reportError } from "./exit.ts";

afterEach(() => vi.restoreAllMocks());

it("promise 10: an error's words from afar are shown, never obeyed, and can't pass for a line of ours", () => {
  let written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
  reportError(Object.assign(new Error("no\x1b[2J\u202e\nnext:  run this"), { next: "a\x9bb\r" }));
  expect(written).toBe("error: no\\u{1b}[2J\\u{202e}\n       next:  run this\nnext:  a\\u{9b}b\\u{d}\n");
});
