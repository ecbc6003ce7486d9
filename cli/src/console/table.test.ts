import { afterEach, describe, expect, it, vi } from "vitest";
import { mayColour } from "./colour.ts";
import { fittedWidths, table } from "./table.ts";
import { textWidth } from "./text-width.ts";

afterEach(() => vi.unstubAllEnvs());

const COLUMNS = [{ title: "NAME", minWidth: 6 }, { title: "STATE" }, { title: "NOTE", minWidth: 4 }];

describe("a table", () => {
  it("has a heading, aligned columns, and no spaces at the ends of lines", () => {
    expect(
      table(
        COLUMNS,
        [
          ["web-1", "online", "a b"],
          ["db", "offline", ""],
        ],
        {},
      ),
    ).toBe("NAME   STATE    NOTE\nweb-1  online   a b\ndb     offline\n");
  });

  it("keeps what comes from afar in its cell and on its line", () => {
    expect(table([{ title: "A" }, { title: "B" }], [["x\ny\x1b[2J", "z"]], {})).toBe(
      "A              B\nx\\ny\\u{1b}[2J  z\n",
    );
  });

  it("aligns names of two columns a character, of combining marks, and emoji", () => {
    const lines = table(
      COLUMNS,
      [
        ["日本語", "x", "1"],
        ["e\u0301te\u0301", "x", "2"],
        ["🚀", "x", "3"],
      ],
      {},
    ).split("\n");
    for (const line of lines.slice(0, 4))
      expect(textWidth(line.slice(0, line.indexOf("x")))).toBe(
        line.includes("x") ? 8 : textWidth(line.slice(0, -1)),
      );
  });

  it.each([200, 60, 40, 24, 10, 1])("is never wider than a terminal of %i columns", (width) => {
    const rows = [
      ["a-machine-with-a-long-name", "online", "いろはにほへとちりぬるを"],
      ["b", "offline, last seen yesterday", "x".repeat(100)],
    ];
    for (const line of table(COLUMNS, rows, { width }).split("\n")) {
      expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  it("cuts the widest column that may shrink first, and says so with …", () => {
    expect(fittedWidths(COLUMNS, [10, 8, 30], 40)).toEqual([10, 8, 18]);
    expect(fittedWidths(COLUMNS, [10, 8, 30], 22)).toEqual([6, 8, 4]);
    expect(table(COLUMNS, [["web-1", "online", "a long note"]], { width: 22 })).toContain(
      "web-1  online  a long…",
    );
  });

  it("has colours only where they are allowed", () => {
    const cell = { text: "online", style: "good" } as const;
    expect(table([{ title: "A" }], [[cell]], {})).toBe("A\nonline\n");
    expect(table([{ title: "A" }], [[cell]], { colours: true })).toContain("\x1b[32monline\x1b[39m");
  });
});

describe("colours", () => {
  it.each([
    ["on a terminal", { isTTY: true }, {}, true],
    ["into a pipe", {}, {}, false],
    ["with NO_COLOR", { isTTY: true }, { NO_COLOR: "1" }, false],
    ["with NO_COLOR and FORCE_COLOR", { isTTY: true }, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
    ["with an empty NO_COLOR, which says nothing", { isTTY: true }, { NO_COLOR: "" }, true],
    ["on a dumb terminal", { isTTY: true }, { TERM: "dumb" }, false],
    ["without a TERM", { isTTY: true }, { TERM: "" }, false],
  ])("%s: %j %j %j", (_title, stream, env, expected) => {
    for (const [name, value] of Object.entries({ NO_COLOR: "", TERM: "xterm", ...env }))
      vi.stubEnv(name, value);
    expect(mayColour(stream)).toBe(expected);
  });
});
