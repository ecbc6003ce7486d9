import { describe, expect, it } from "vitest";
import { SessionOutput } from "./session-output.ts";

const live = { after: 0, isReplay: false, isAlternate: false };
const replay = { after: 0, isReplay: true, isAlternate: false };
const CURSOR_QUERY = "\x1b[6n";

/** Pushes text that begins at an offset, and returns the part that is shown. */
function push(output: SessionOutput, offset: number, text: string): string {
  return Buffer.from(output.push({ offset, data: Buffer.from(text) })).toString();
}

describe("a session's output on its way to our terminal", () => {
  it("keeps the questions of a new session: its programs wait for the answers", () => {
    const output = new SessionOutput(live);
    output.begin(100);
    expect(push(output, 0, `a${CURSOR_QUERY}b`)).toBe(`a${CURSOR_QUERY}b`);
  });

  it("shows old output without questions, and new output with them", () => {
    const output = new SessionOutput(replay);
    output.begin(10);
    expect(push(output, 0, `ab${CURSOR_QUERY}cd${CURSOR_QUERY}z`)).toBe(`abcd${CURSOR_QUERY}z`);
    expect(push(output, 17 - 4, CURSOR_QUERY)).toBe(CURSOR_QUERY);
  });

  it("takes a question for new that was only half asked when we came", () => {
    const output = new SessionOutput(replay);
    output.begin(2);
    expect(push(output, 0, "\x1b[") + push(output, 2, "6n")).toBe(CURSOR_QUERY);
  });

  it("begins at a safe place where it begins in the middle", () => {
    const output = new SessionOutput({ ...replay, after: 50 });
    output.begin(70);
    expect(push(output, 50, ";5;200mred\x1b[mblack")).toBe("\x1b[mblack");
    expect(push(output, 68, "8;5;200m")).toBe("8;5;200m");
  });

  it("counts what was dropped, and goes on at a safe place", () => {
    const output = new SessionOutput(live);
    push(output, 0, "ab");
    expect(push(output, 12, "half\nwhole")).toBe("\nwhole");
    expect(output.droppedBytes).toBe(10);
  });

  it("puts the alternate screen on where what is not shown did, and undoes it", () => {
    const output = new SessionOutput({ after: 50, isReplay: true, isAlternate: true });
    expect(push(output, 50, "\x1b[Hx")).toBe("\x1b[?1049h\x1b[Hx");
    expect(push(output, 54, "y")).toBe("y");
    expect(output.undo()).toContain("\x1b[?1049l");
  });

  it("gives back at the end what was never completed", () => {
    const output = new SessionOutput(live);
    expect(push(output, 0, "x\x1b[")).toBe("x");
    expect(Buffer.from(output.flush()).toString()).toBe("\x1b[");
  });
});
