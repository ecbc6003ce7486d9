import { afterEach, describe, expect, it, vi } from "vitest";
import { LINK_BACK, LINK_LOST } from "../jobs/link-messages.ts";
import { LinkNotice } from "./link-notice.ts";

/** Makes a screen that records its output. */
function screenOf(cols: number, rows: number) {
  const written: string[] = [];
  return { written, screenSize: { cols, rows }, write: (data: string) => written.push(data) };
}

/** The frame of a write: it saves the cursor, goes to a row, and restores. */
const onRow = (row: number): RegExp => new RegExp(`^\x1b7.*\x1b\\[${row};1H.*\x1b8$`);

describe("the notice of a lost link", () => {
  afterEach(() => vi.restoreAllMocks());

  it("stands on the last row in reverse video, and leaves the cursor where it was", () => {
    const screen = screenOf(120, 40);
    new LinkNotice(screen).lost();
    expect(screen.written).toEqual([expect.stringMatching(onRow(40))]);
    expect(screen.written[0]).toContain(`\x1b[0;7m ${LINK_LOST}`);
  });

  it("is no longer than the row, which would scroll the screen", () => {
    const screen = screenOf(20, 10);
    new LinkNotice(screen).lost();
    expect(screen.written[0]).toContain(`\x1b[0;7m${` ${LINK_LOST}`.slice(0, 20)}\x1b8`);
  });

  it("is taken away from the row where it stands, also when the size has changed", () => {
    const screen = screenOf(80, 24);
    const notice = new LinkNotice(screen);
    notice.lost();
    screen.screenSize.rows = 50;
    notice.back();
    expect(screen.written[1]).toMatch(onRow(24));
    expect(screen.written[1]).not.toContain("cmdop");
  });

  it("comes once for each loss, and goes once", () => {
    const screen = screenOf(80, 24);
    const notice = new LinkNotice(screen);
    notice.back();
    notice.lost();
    notice.lost();
    notice.back();
    notice.back();
    notice.lost();
    expect(screen.written.map((data) => data.includes(LINK_LOST))).toEqual([true, false, true]);
  });

  it("is a line on stderr where there is no screen", () => {
    const lines: unknown[] = [];
    vi.spyOn(process.stderr, "write").mockImplementation((line) => lines.push(line) > 0);
    const place = { screenSize: undefined, write: () => expect.unreachable() };
    const notice = new LinkNotice(place);
    notice.lost();
    notice.back();
    expect(lines).toEqual([`${LINK_LOST}\n`, `${LINK_BACK}\n`]);
  });
});
