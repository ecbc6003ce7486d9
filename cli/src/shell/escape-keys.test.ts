import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EscapeKeys } from "./escape-keys.ts";

/** Returns the result of the pieces in order: the text to send, and «detach» and «help». */
function typed(...pieces: readonly string[]): string {
  const keys = new EscapeKeys();
  return pieces
    .flatMap((piece) => keys.push(Buffer.from(piece)))
    .map((action) => (action.type === "send" ? Buffer.from(action.data).toString() : `«${action.type}»`))
    .join("");
}

describe("escape sequences at the keyboard", () => {
  it.each([
    ["detaches at the beginning", "~.", "«detach»"],
    ["detaches after Enter", "ls\r~.", "ls\r«detach»"],
    ["detaches after a line feed", "ls\n~.", "ls\n«detach»"],
    ["sends nothing that is behind the detaching", "~.rm", "«detach»"],
    ["lists them, and knows the next one at once", "\r~?~.", "\r«help»«detach»"],
    ["sends one tilde for two", "\r~~.", "\r~."],
    ["sends a tilde that means nothing with the key behind it", "\r~/bin\r", "\r~/bin\r"],
    ["leaves a tilde in the middle of a line alone", "cd ~.", "cd ~."],
    ["takes Enter after a tilde for the beginning of a line", "~\r~.", "~\r«detach»"],
  ])("%s", (_title, keys, expected) => {
    expect(typed(keys)).toBe(expected);
  });

  it("waits with a tilde for the key behind it", () => {
    expect(typed("ls\r~")).toBe("ls\r");
    expect(typed("ls\r~", "x")).toBe("ls\r~x");
  });

  it("however the keys arrive, they mean the same", () => {
    const keys = fc.array(fc.constantFrom("~", ".", "?", "\r", "\n", "a", "é"), { maxLength: 12 });
    fc.assert(
      fc.property(keys, (pieces) => {
        expect(typed(...pieces)).toBe(typed(pieces.join("")));
      }),
    );
  });
});
