import { appendFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  leftovers,
  makeScratch,
  mounted,
  NEVER,
  refusalCode,
  type Scratch,
  snapshot,
  whyNoMount,
} from "../place/test-support.ts";
import { copy } from "./copy.ts";
import type { CopyProgress } from "./copy-tree.ts";
import { move } from "./move.ts";

const PLAIN = { recursive: true, overwrite: false };

/** Several pieces. */
const LARGE_BYTES = 1_500_000;

/** Progress that does something of the test's own each time that bytes were copied. */
function hooked(onBytes: (bytes: bigint) => void): CopyProgress {
  let bytes = 0n;
  return {
    entries: 0n,
    get bytes() {
      return bytes;
    },
    set bytes(now) {
      const isMore = now > bytes;
      bytes = now;
      if (isMore) onBytes(now);
    },
  };
}

describe("a copy of a file that somebody writes to meanwhile", () => {
  it("is made again until it is one content; of one that never rests it is refused, and leaves nothing", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "x".repeat(LARGE_BYTES));
    await using target = await open(file, "r+");
    for (const times of [1, Number.POSITIVE_INFINITY]) {
      let writes = 0;
      const progress = hooked(() => {
        if (writes >= times) return;
        writes += 1;
        writeSync(target.fd, String(writes % 10), 3);
      });
      const copying = copy(scratch.boundary(), file, scratch.at(`to-${times}`), PLAIN, NEVER, progress);
      if (times === 1) {
        await copying;
        expect(progress.bytes).toBe(BigInt(LARGE_BYTES));
        expect((await readFile(file)).equals(await readFile(scratch.at("to-1")))).toBe(true);
      } else expect(await refusalCode(copying)).toBe("FileChanged");
    }
    expect(Object.keys(await snapshot(scratch.dir)).filter((name) => /^to|tmp/.test(name))).toEqual(["to-1"]);
  });

  it("has what was there where it only grew", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "x".repeat(LARGE_BYTES));
    const progress = hooked(() => appendFileSync(file, "more"));
    await copy(scratch.boundary(), file, scratch.at("to"), PLAIN, NEVER, progress);
    expect(await readFile(scratch.at("to"), "utf8")).toBe("x".repeat(LARGE_BYTES));
  });
});

describe("a move to another filesystem loses nothing while", () => {
  async function moving(
    scratch: Scratch,
    source: string,
    meanwhile: () => void,
  ): Promise<string | undefined> {
    const total = Object.entries(await snapshot(scratch.at("d"))).reduce(
      (sum, [, content]) => sum + (content === "directory" ? 0 : content.length),
      0,
    );
    let isDone = false;
    const progress = hooked((bytes) => {
      if (isDone || bytes < BigInt(total)) return;
      isDone = true;
      meanwhile();
    });
    const options = { overwrite: false };
    return move(scratch.boundary(), source, scratch.at("other/to"), options, NEVER, progress).then(
      () => undefined,
      (thrown: { code?: string }) => thrown.code,
    );
  }

  it.for<[string, (d: string) => void, Record<string, string>]>([
    [
      "adds to files",
      (d) => {
        for (const name of ["a", "b"]) appendFileSync(`${d}/${name}`, "!");
      },
      { a: "aaa!", b: "bbb!" },
    ],
    ["replaces files", replaceBoth, { a: "new", b: "new" }],
    ["makes a file", (d) => writeFileSync(`${d}/c`, "new"), { a: "aaa", b: "bbb", c: "new" }],
  ])("somebody %s", async ([, meanwhile, newest], { skip }) => {
    await using scratch = await makeScratch();
    const why = await whyNoMount(scratch);
    skip(why !== undefined, why);
    await using _ = await mounted(scratch.at("other"), ["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    for (const name of ["a", "b"]) await scratch.file(`d/${name}`, name.repeat(3));
    const code = await moving(scratch, scratch.at("d"), () => meanwhile(scratch.at("d")));
    const tree = await snapshot(scratch.dir);
    for (const [name, content] of Object.entries(newest)) {
      expect([tree[`d/${name}`], tree[`other/to/${name}`]]).toContain(content);
    }
    // A file that is made may still be found and moved too.
    expect(code ?? tree["other/to/c"]).toBe(code === undefined ? "new" : "FileChanged");
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("somebody replaces the file itself", async ({ skip }) => {
    await using scratch = await makeScratch();
    const why = await whyNoMount(scratch);
    skip(why !== undefined, why);
    await using _ = await mounted(scratch.at("other"), ["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    const file = await scratch.file("d/f", "old");
    const code = await moving(scratch, file, () => {
      writeFileSync(`${file}.next`, "new");
      renameSync(`${file}.next`, file);
    });
    expect(code).toBe("FileChanged");
    expect([await readFile(file, "utf8"), await readFile(scratch.at("other/to"), "utf8")]).toEqual([
      "new",
      "old",
    ]);
  });

  function replaceBoth(d: string): void {
    for (const name of ["a", "b"]) {
      writeFileSync(`${d}/../next`, "new");
      renameSync(`${d}/../next`, `${d}/${name}`);
    }
  }
});
