import { describe, expect, it } from "vitest";
import { ProgressView, progressLine, sizeText, timeText } from "./progress-view.ts";

const MiB = 1024 * 1024;

function shown(isTTY: boolean, quiet = false): string[] {
  const written: string[] = [];
  let nowMs = 0;
  const output = { isTTY, columns: 60, write: (text: string) => written.push(text) };
  const view = new ProgressView(output, quiet, () => nowMs);
  for (let second = 1; second <= 25; second++) {
    nowMs = second * 1000;
    view.show({ bytes: second * MiB, totalBytes: 25 * MiB, files: 0 });
  }
  view.show({ bytes: 25 * MiB, totalBytes: 25 * MiB, files: 1 });
  view.done();
  return written;
}

describe("progress", () => {
  it("has bar, share, sizes, rate and time left", () => {
    expect(progressLine({ bytes: 12 * MiB, totalBytes: 24 * MiB, files: 0 }, 4 * MiB)).toBe(
      "[##########----------]  50%  12.0 MiB of 24.0 MiB  4.0 MiB/s  3.0 s left",
    );
    expect(progressLine({ bytes: 2048, files: 3 }, 1024)).toBe("2.0 KiB  3 files  1.0 KiB/s");
  });

  it("on a terminal stays on one line, and is gone at the end", () => {
    const written = shown(true);
    expect(written).toHaveLength(27);
    for (const text of written.slice(0, -2)) expect(text).toMatch(/^\r[^\r\n]{1,70}K$/);
    expect(written.slice(-2)).toEqual(["\r\u001b[K", "1 file, 25.0 MiB in 25 s (1.0 MiB/s)\n"]);
  });

  it("elsewhere is a plain line now and then, or none", () => {
    const written = shown(false);
    expect(written).toHaveLength(3);
    for (const text of written) expect(text).toMatch(/^[ -~]+\n$/);
    expect(shown(true, true)).toEqual([]);
  });

  it("says sizes and times for people", () => {
    expect([0, 1023, 1024, 5e9].map(sizeText)).toEqual(["0 B", "1023 B", "1.0 KiB", "4.7 GiB"]);
    expect([0.52, 59, 61, 7260].map(timeText)).toEqual(["0.5 s", "59 s", "1 min 1 s", "2 h 1 min"]);
  });
});
