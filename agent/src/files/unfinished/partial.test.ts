import { createHash } from "node:crypto";
import { link, open, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Boundary } from "../place/boundary.ts";
import { MAX_PARTIAL_AGE_MS } from "../place/limits.ts";
import { makeScratch, refusalCode, type Scratch } from "../place/test-support.ts";
import { cleanUp, sweepUploads } from "../tree/clean-up.ts";
import { makeSymlink } from "../tree/symlink.ts";
import { findPartial, receiveContent, type UploadPiece } from "../write/upload.ts";
import { Unfinished } from "./unfinished.ts";
import { UnfinishedLog } from "./unfinished-log.ts";

const UPLOAD = Buffer.from("01234567");
const OPTIONS = { parents: false, upload: UPLOAD };
const PART = `.cmdop-tmp-${UPLOAD.toString("hex")}`;

let scratch: Scratch;
let boundary: Boundary;
let unfinished: Unfinished;
beforeEach(async () => {
  scratch = await makeScratch();
  unfinished = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
  boundary = { ...scratch.boundary(), unfinished };
  await scratch.file("dir/target", "old");
});
afterEach(() => scratch[Symbol.asyncDispose]());

async function* pieces(...list: UploadPiece[]): AsyncGenerator<UploadPiece> {
  yield* list;
}
const data = (text: string): UploadPiece => ({ data: Buffer.from(text) });
const finish = (whole: string): UploadPiece => ({
  data: new Uint8Array(),
  finish: { size: BigInt(whole.length), sha256: createHash("sha256").update(whole).digest() },
});
const KEEP: UploadPiece = { data: new Uint8Array(), keep: true };

/** What this process has read in all. */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
}
const target = () => scratch.at("dir/target");
const ask = (discard = false) => findPartial(boundary, target(), { upload: UPLOAD, discard });
const upload = (options: { offset?: bigint; ifMatch?: Uint8Array }, ...list: UploadPiece[]) =>
  receiveContent(boundary, target(), pieces(...list), { ...OPTIONS, ...options });

describe("an upload that can be resumed", () => {
  it("goes on behind what has arrived, and is remembered when it is whole", async () => {
    expect(await ask()).toEqual({ size: 0n });
    expect(await refusalCode(upload({}, data("hel")))).toBe("FileChanged");
    expect(await readFile(target(), "utf8")).toBe("old");
    expect(await ask()).toEqual({ size: 3n });
    expect(await refusalCode(upload({ offset: 2n }, data("llo")))).toBe("FileChanged");
    expect(await ask()).toEqual({ size: 3n });
    await upload({ offset: 3n }, data("lo"), finish("hello"));
    expect(await readFile(target(), "utf8")).toBe("hello");
    expect(await ask()).toMatchObject({ size: 5n, entry: { name: "target" } });
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    expect(unfinished.left).toEqual([]);
  });

  it("promise 1: is not kept where the disk did not take it, which Linux tells but once", async () => {
    await using file = await open(target());
    const failed = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    vi.spyOn(Object.getPrototypeOf(file), "datasync").mockImplementationOnce(async () => {
      await sleep(100);
      throw failed;
    });
    const much = { data: Buffer.alloc(33 * 1024 * 1024) };
    await expect(upload({}, much, KEEP)).rejects.toThrow("EIO");
    expect([await ask(), unfinished.left]).toEqual([{ size: 0n }, []]);
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
  });

  it("is kept where its writer says so, stretch after stretch", async () => {
    expect(await upload({}, data("hel"), KEEP)).toEqual({ kept: 3n });
    expect(await upload({ offset: 3n }, data("l"), KEEP)).toEqual({ kept: 4n });
    await upload({ offset: 4n }, data("o"), finish("hello"));
    expect(await readFile(target(), "utf8")).toBe("hello");
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
  });

  it("is not read again at each stretch: many short ones would cost the square of it", async ({ skip }) => {
    skip(process.platform !== "linux", "only Linux says what a process has read");
    const stretch = Buffer.alloc(1_000_000, "x");
    const before = await bytesRead();
    for (let index = 0; index < 40; index++) {
      await upload({ offset: BigInt(index * stretch.length) }, { data: stretch }, KEEP);
    }
    // Reading it each time would come to 780 MB.
    expect((await bytesRead()) - before).toBeLessThan(40 * stretch.length);
  });

  it("that somebody else has changed meanwhile is found out, and changes nothing", async () => {
    await upload({}, data("hel"), KEEP);
    await writeFile(scratch.at("dir", PART), "hex");
    expect(await refusalCode(upload({ offset: 3n }, data("lo"), finish("hello")))).toBe("FileChanged");
    expect(await readFile(target(), "utf8")).toBe("old");
  });

  it("is asked for its condition when it begins and when it ends", async () => {
    const ifMatch = createHash("sha256").update("old").digest();
    await upload({ ifMatch }, data("hel"), KEEP);
    await writeFile(target(), "other");
    expect(await upload({ ifMatch, offset: 3n }, data("l"), KEEP)).toEqual({ kept: 4n });
    expect(await refusalCode(upload({ ifMatch, offset: 4n }, data("o"), finish("hello")))).toBe(
      "FileChanged",
    );
    expect(await refusalCode(upload({ ifMatch }, data("hello"), finish("hello")))).toBe("FileChanged");
    expect(await readFile(target(), "utf8")).toBe("other");
  });

  it("can't be kept without a name, and says so", async () => {
    const nameless = receiveContent(boundary, target(), pieces(data("x"), KEEP), { parents: false });
    expect(await refusalCode(nameless)).toBe("InvalidArgument");
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
  });

  it("leaves nothing where its hash is wrong, or where it is discarded", async () => {
    expect(await refusalCode(upload({}, data("hel"), finish("hex")))).toBe("FileChanged");
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    await refusalCode(upload({}, data("hel")));
    expect(await ask(true)).toEqual({ size: 0n });
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    expect(unfinished.left).toEqual([]);
  });

  it("is not begun again by a stream that comes after it was discarded", async () => {
    expect(await ask(true)).toEqual({ size: 0n });
    expect(await refusalCode(upload({}, data("hel")))).toBe("Canceled");
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    expect(unfinished.left).toEqual([]);
  });

  it("waits as long as its writer has said, since its last stream or the agent's start", async () => {
    const trouble = (what: string, error: unknown) => expect.fail(`${what}: ${String(error)}`);
    const keepMs = 600_000;
    const brief = (offset: bigint, text: string) =>
      refusalCode(receiveContent(boundary, target(), pieces(data(text)), { ...OPTIONS, keepMs, offset }));
    vi.useFakeTimers({ toFake: ["performance"] });
    await brief(0n, "hel");
    for (const text of ["l", "o"]) {
      vi.advanceTimersByTime(keepMs - 1);
      await sweepUploads(unfinished, boundary, trouble);
      await brief((await ask()).size, text);
    }
    // The next agent knows nothing of its last stream.
    const next = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
    vi.advanceTimersByTime(keepMs - 1);
    await sweepUploads(next, boundary, trouble);
    expect(await readdir(scratch.at("dir"))).toEqual([PART, "target"]);
    vi.advanceTimersByTime(1);
    await sweepUploads(next, boundary, trouble);
    vi.useRealTimers();
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    expect(next.left).toEqual([]);
  });

  it("is taken over from a stream that still hangs", async () => {
    const { promise: never } = Promise.withResolvers<void>();
    const hanging = async function* () {
      yield data("hel");
      await never;
    };
    const first = refusalCode(receiveContent(boundary, target(), hanging(), OPTIONS));
    await expect
      .poll(() =>
        stat(scratch.at("dir", PART)).then(
          ({ size }) => size,
          () => 0,
        ),
      )
      .toBe(3);
    expect(await ask()).toEqual({ size: 3n });
    expect(await first).toBe("LinkLost");
  });

  it("never goes on with what it has not begun itself", async () => {
    await writeFile(scratch.at("secret"), "abc");
    for (const plant of [link, symlink]) {
      boundary = { ...boundary, unfinished: new Unfinished(new UnfinishedLog(scratch.at("unfinished.log"))) };
      await plant(scratch.at("secret"), scratch.at("dir", PART));
      expect(await refusalCode(upload({ offset: 3n }, data("x"), finish("abcx")))).toBe("FileChanged");
      expect(await ask(true)).toEqual({ size: 0n });
      await refusalCode(upload({}, data("x"), finish("x")));
      expect(await readFile(scratch.at("secret"), "utf8")).toBe("abc");
      await rm(scratch.at("dir", PART), { force: true });
    }
  });

  it("waits a day for its writer, over a restart too, and no longer", async () => {
    await refusalCode(upload({}, data("hel")));
    const next = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
    const trouble = (what: string, error: unknown) => expect.fail(`${what}: ${String(error)}`);
    await cleanUp(next, boundary, next.left, trouble);
    await sweepUploads(next, boundary, trouble);
    expect(await readdir(scratch.at("dir"))).toEqual([PART, "target"]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + MAX_PARTIAL_AGE_MS + 1 });
    await sweepUploads(next, boundary, trouble);
    vi.useRealTimers();
    expect(await readdir(scratch.at("dir"))).toEqual(["target"]);
    expect(next.left).toEqual([]);
  });
});

describe("a symbolic link", () => {
  it("is made as it is told, and replaces nothing but another link", async () => {
    const at = scratch.at("dir/link");
    const make = (path: string, to: string, overwrite = false) =>
      makeSymlink(boundary, path, to, { overwrite, mtimeMs: 1_500 });
    expect(await make(at, "../any where")).toMatchObject({
      type: "symlink",
      linkTarget: "../any where",
      mtimeMs: 1_500,
    });
    expect(await refusalCode(make(at, "x"))).toBe("AlreadyExists");
    await make(at, "other", true);
    expect(await readlink(at)).toBe("other");
    expect(await refusalCode(make(target(), "x", true))).toBe("AlreadyExists");
    for (const bad of ["", "a\0b", "x".repeat(4096)]) {
      expect(await refusalCode(make(scratch.at("dir/new"), bad))).toBe("InvalidArgument");
    }
    const confined = { ...scratch.boundary([scratch.at("other")]), unfinished };
    expect(await refusalCode(makeSymlink(confined, at, "x", { overwrite: true }))).toBe("PolicyDenied");
  });
});
