import { mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { utimesArgument } from "./file-times.ts";

describe("a file's time", () => {
  it("comes back to the microsecond, however often it is set", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-times-"));
    try {
      const file = path.join(directory, "file");
      await writeFile(file, "");
      for (const timeMs of [
        0, 1_700_000_000_000, 1_700_000_000_123.457, 1_800_000_000_999.999, -1_500, -1_000_000,
      ]) {
        let now = timeMs;
        for (let round = 0; round < 20; round++) {
          await utimes(file, 0, utimesArgument(now));
          now = Number((await stat(file, { bigint: true })).mtimeNs) / 1e6;
          expect(Math.abs(now - timeMs)).toBeLessThan(0.001);
          if (Number.isInteger(timeMs)) expect(Math.floor(now)).toBe(timeMs);
        }
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
