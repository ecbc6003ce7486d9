import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProgressView, progressLine } from "./progress-view.ts";
import { sizeText, timeText } from "./units.ts";

const MiB = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A view, and what it writes. */
function started({ isTTY = true, quiet = false, columns = 100 } = {}) {
  const written: string[] = [];
  const output = { isTTY, columns, write: (text: string) => written.push(text) };
  return { view: new ProgressView(output, quiet), written, last: () => written.at(-1) ?? "" };
}

/** 25 MiB in as many seconds. */
function copied(options: { isTTY?: boolean; quiet?: boolean; columns?: number }): string[] {
  const { view, written } = started(options);
  for (let second = 1; second <= 25; second++) {
    vi.advanceTimersByTime(1000);
    view.show({ bytes: second * MiB, resumedBytes: 0, totalBytes: 25 * MiB, files: 0 });
  }
  view.show({ bytes: 25 * MiB, resumedBytes: 5 * MiB, totalBytes: 25 * MiB, files: 1 });
  view.done();
  view[Symbol.dispose]();
  return written;
}

describe("progress", () => {
  it("has bar, share, sizes and its state; of several files, how many and which", () => {
    const progress = { bytes: 12 * MiB, resumedBytes: 0, totalBytes: 24 * MiB, files: 0 };
    expect(progressLine(progress, "4.0 MiB/s")).toBe(
      "[##########----------]  50%  12.0 MiB of 24.0 MiB  4.0 MiB/s",
    );
    const current = { path: "a\u001bb", bytes: 1, totalBytes: 4 };
    expect(progressLine({ ...progress, files: 3, totalFiles: 9, current }, "x")).toMatch(
      /x {2}3 of 9 files {2}a\S+b 25%$/,
    );
    expect(progressLine({ bytes: 2048, resumedBytes: 0, files: 0 }, "x")).toBe("2.0 KiB  x");
  });

  it("on a terminal stays on one line, is gone at the end, and counts for its rate what was moved", () => {
    const written = copied({ columns: 60 });
    for (const text of written.slice(0, -2)) expect(text).toMatch(/^\r[^\r\n]{1,62}K$/);
    expect(written.slice(-2)).toEqual([
      "\r\u001b[K",
      "1 file, 25.0 MiB in 25 s (819.2 KiB/s; 5.0 MiB were there)\n",
    ]);
  });

  it("is none where there is no terminal, and none where none is wanted", () => {
    expect(copied({ isTTY: false })).toEqual([]);
    expect(copied({ quiet: true })).toEqual([]);
  });

  it("says at once that a machine is away, and goes on when it is back", () => {
    const { view, last } = started();
    view.show({ bytes: MiB, resumedBytes: 0, totalBytes: 2 * MiB, files: 0 });
    view.link("lost", "web-1");
    expect(last()).toContain("waiting for web-1 to come back, 0.0 s");
    vi.advanceTimersByTime(3000);
    expect(last()).toContain("waiting for web-1 to come back, 3.0 s");
    view.link("back", "web-1");
    expect(last()).toMatch(/\/s/);
    view[Symbol.dispose]();
    const { view: plain, written } = started({ isTTY: false });
    plain.link("lost", "web-1");
    plain.link("back", "web-1");
    expect(written).toEqual([
      "cmdop: web-1 can't be reached, waiting for it to come back\n",
      "cmdop: web-1 is back, going on\n",
    ]);
  });

  it("gives no rate for what does not move, although nothing is known to be wrong", () => {
    const { view, last } = started();
    view.show({ bytes: MiB, resumedBytes: 0, totalBytes: 2 * MiB, files: 0 });
    vi.advanceTimersByTime(1000);
    expect(last()).toContain("/s");
    vi.advanceTimersByTime(3000);
    expect(last()).toContain("nothing moves for 4.0 s");
    expect(last()).not.toContain("/s");
    view[Symbol.dispose]();
  });

  it("says sizes and times for people", () => {
    expect([0, 1023, 1024, 5e9].map(sizeText)).toEqual(["0 B", "1023 B", "1.0 KiB", "4.7 GiB"]);
    expect([0.52, 59, 61, 7260].map(timeText)).toEqual(["0.5 s", "59 s", "1 min 1 s", "2 h 1 min"]);
  });
});
