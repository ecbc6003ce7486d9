import { describe, expect, it } from "vitest";
import { TerminalModes } from "./terminal-modes.ts";

/** Returns the undo sequences after these sequences. */
function undoAfter(...sequences: readonly string[]): string {
  const modes = new TerminalModes();
  for (const sequence of sequences) modes.note(Buffer.from(sequence));
  return modes.undo();
}

/** The undo sequences without changes: colours always end. */
const NOTHING = "\x1b[m";

describe("modes that programs leave on", () => {
  it.each([
    ["the mouse", ["\x1b[?1000h", "\x1b[?1006h"], "\x1b[?1000l\x1b[?1006l"],
    ["several in one sequence", ["\x1b[?1002;2004h"], "\x1b[?1002l\x1b[?2004l"],
    ["a hidden cursor", ["\x1b[?25l"], "\x1b[?25h"],
    ["lines that do not wrap", ["\x1b[?7l"], "\x1b[?7h"],
    ["the alternate screen, last", ["\x1b[?1049h", "\x1b[?1h", "\x1b="], "\x1b[?1l\x1b>\x1b[?1049l"],
    ["margins, where the cursor stays", ["\x1b[5;20r"], "\x1b7\x1b[r\x1b8"],
    ["the cursor's shape", ["\x1b[5 q"], "\x1b[0 q"],
    ["keys with modifiers", ["\x1b[>4;2m"], "\x1b[>4m"],
    ["kitty's keys", ["\x1b[>1u"], "\x1b[=0u"],
  ])("%s: undone", (_title, sequences, undone) => {
    expect(undoAfter(...sequences)).toBe(NOTHING + undone);
  });

  it.each([
    ["a program that cleaned up", ["\x1b[?1049h", "\x1b[?25l", "\x1b[?25h", "\x1b[?1049l"]],
    ["a full reset", ["\x1b[?1049h", "\x1b[?25l", "\x1b=", "\x1b[2;3r", "\x1bc"]],
    ["a soft reset", ["\x1b[?25l", "\x1b=", "\x1b[2;3r", "\x1b[!p"]],
    ["colours and movements", ["\x1b[1;31m", "\x1b[2J", "\x1b[H", "\x1b]0;title\x07"]],
    ["modes that nobody notices", ["\x1b[?12h", "\x1b[?69h", "\x1b[4h"]],
    ["kitty's keys that were given back", ["\x1b[>1u", "\x1b[<u"]],
    ["shape and modifiers that were given back", ["\x1b[5 q", "\x1b[ q", "\x1b[>4;2m", "\x1b[>4m"]],
  ])("%s leaves nothing to undo", (_title, sequences) => {
    expect(undoAfter(...sequences)).toBe(NOTHING);
  });
});
