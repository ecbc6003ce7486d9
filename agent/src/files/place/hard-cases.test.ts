import { appendFile, open, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { info } from "../read/info.ts";
import { readContent, streamContent } from "../read/read.ts";
import { copy } from "../tree/copy.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import {
  collected,
  makeScratch,
  mounted,
  NEVER,
  refusal,
  refusalCode,
  run,
  snapshot,
  whyNoMount,
} from "./test-support.ts";

const PLAIN = { parents: false };
const WHOLE = { offset: 0n };

const write = (boundary: Boundary, path: string, content = "new") =>
  writeContent(boundary, path, Buffer.from(content), PLAIN);
const append = (boundary: Boundary, path: string) => appendContent(boundary, path, Buffer.from("new"), PLAIN);
const change = (boundary: Boundary, path: string) =>
  edit(boundary, path, { old: Buffer.from("o"), new: Buffer.from("0"), all: false }, NEVER);
const copyTo = (boundary: Boundary, from: string, to: string) =>
  copy(boundary, from, to, { recursive: true, overwrite: true }, NEVER);

describe("nothing hangs on", () => {
  it.each(["fifo", "/dev/zero", "/dev/null", "/dev/tty"])(
    "%s: it is told that it is no file",
    async (name) => {
      await using scratch = await makeScratch();
      await run("mkfifo", [scratch.at("fifo")]);
      const path = name.startsWith("/") ? name : scratch.at(name);
      const boundary = scratch.boundary();
      for (const operation of [
        () => readContent(boundary, path, WHOLE),
        () => collected(streamContent(boundary, path, WHOLE, NEVER)),
        () => write(boundary, path),
        () => append(boundary, path),
        () => change(boundary, path),
        () => copyTo(boundary, path, scratch.at("to")),
      ]) {
        expect(await refusalCode(operation())).toBe("NotAFile");
      }
      expect((await info(boundary, path, { hash: true })).type).toBe("other");
    },
  );
});

describe("files of the kernel", () => {
  it("that can't be replaced are said to be there", async ({ skip }) => {
    skip(process.platform !== "linux", "there is no /proc");
    await using scratch = await makeScratch();
    const error = await refusal(write(scratch.boundary(), "/proc/version"));
    expect([error.code, error.next]).toEqual(["AccessDenied", expect.stringContaining("/proc")]);
  });
});

describe("names of 255 bytes", () => {
  it("are like any other; longer ones are refused", async () => {
    await using scratch = await makeScratch();
    const [one, two] = ["a", "b"].map((letter) => scratch.at("home", letter.repeat(255)));
    const boundary = scratch.boundary();
    await write(boundary, one ?? "", "old");
    await change(boundary, one ?? "");
    await append(boundary, one ?? "");
    await copyTo(boundary, one ?? "", two ?? "");
    await move(boundary, one ?? "", scratch.at("home/é".padEnd(130, "é")), { overwrite: false }, NEVER);
    expect((await readContent(boundary, two ?? "", WHOLE)).size).toBe(6n);
    for (const operation of [write, append, change]) {
      expect(await refusalCode(operation(boundary, scratch.at("c".repeat(256))))).toBe("InvalidArgument");
    }
  });
});

describe("a sparse file of 10 GB", () => {
  it("is read in ranges, and refused where it would have to be held whole", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("sparse");
    const size = 10_000_000_000;
    await truncate(file, size);
    await appendFile(file, "end");
    const boundary = scratch.boundary();
    const range = { offset: BigInt(size - 2), length: 100n };
    const { content, size: said } = await readContent(boundary, file, range);
    expect([Buffer.from(content).toString("latin1"), said]).toEqual(["\0\0end", BigInt(size + 3)]);
    const [piece] = await collected(streamContent(boundary, file, { offset: BigInt(size) }, NEVER));
    expect(Buffer.from(piece?.data ?? []).toString()).toBe("end");
    expect(await refusalCode(readContent(boundary, file, WHOLE))).toBe("MessageTooLarge");
    expect(await refusalCode(change(boundary, file))).toBe("LimitExceeded");
    for await (const first of streamContent(boundary, file, WHOLE, NEVER)) {
      expect(first.data.every((byte, index) => index < 6 || byte === 0)).toBe(true);
      break;
    }
  });
});

describe("a directory that is read-only", () => {
  it("refuses every change, and keeps what it has", async ({ skip }) => {
    await using scratch = await makeScratch();
    const why = await whyNoMount(scratch);
    skip(why !== undefined, why);
    await using _ = await mounted(scratch.at("d"), ["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    const file = await scratch.file("d/f", "old");
    await run("mount", ["-o", "remount,ro", scratch.at("d")]);
    const boundary = scratch.boundary();
    for (const operation of [
      () => write(boundary, file),
      () => write(boundary, scratch.at("d/new")),
      () => append(boundary, file),
      () => change(boundary, file),
      () => makeDirectory(boundary, scratch.at("d/new"), { parents: true }),
      () => remove(boundary, file, { recursive: true }, NEVER),
      () => copyTo(boundary, file, scratch.at("d/copy")),
      () => move(boundary, file, scratch.at("moved"), { overwrite: false }, NEVER),
    ]) {
      expect(await refusalCode(operation())).toBe("AccessDenied");
    }
    expect(await snapshot(scratch.at("d"))).toEqual({ f: "old" });
  });
});

describe("a file that changes while it is read", () => {
  const OLD = Buffer.from("old ".repeat(600_000));

  it("and never rests, is told of after some attempts; at rest it is read", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    await writeFile(file, OLD);
    const target = await open(file, "r+");
    let stop = false;
    const writer = (async () => {
      while (!stop) await target.write("x", Math.floor(Math.random() * OLD.length));
    })();
    const codes: unknown[] = [];
    try {
      for (let round = 0; round < 200 && !codes.includes("FileChanged"); round++) {
        const read = readContent(scratch.boundary(), file, WHOLE);
        codes.push(
          await read.then(
            ({ content }) => content.length,
            (thrown: { code?: string }) => thrown.code,
          ),
        );
      }
    } finally {
      stop = true;
      await writer;
      await target.close();
    }
    expect(codes.filter((each) => each !== "FileChanged" && each !== OLD.length)).toEqual([]);
    expect(codes).toContain("FileChanged");
    const { content } = await readContent(scratch.boundary(), file, WHOLE);
    expect((await readFile(file)).equals(content)).toBe(true);
  });

  it("that is replaced or deleted gives what it was; that only grows, what was there at the beginning", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    for (const meanwhile of [
      async () => appendFile(file, "more"),
      async () => {
        await writeFile(`${file}.next`, "next");
        await rename(`${file}.next`, file);
      },
      async () => remove(scratch.boundary(), file, { recursive: false }, NEVER),
    ]) {
      await writeFile(file, OLD);
      const pieces: Uint8Array[] = [];
      for await (const { data: piece } of streamContent(scratch.boundary(), file, WHOLE, NEVER)) {
        if (pieces.push(piece) === 1) await meanwhile();
      }
      expect(OLD.equals(Buffer.concat(pieces))).toBe(true);
    }
  });

  it("that is written to or cut short in the middle of a stream ends it with an error", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    for (const meanwhile of [
      async () => {
        const handle = await open(file, "r+");
        await handle.write("X", 2_000_000);
        await handle.close();
      },
      async () => truncate(file, 1_000_000),
    ]) {
      await writeFile(file, OLD);
      const reading = async () => {
        let begun = false;
        for await (const _ of streamContent(scratch.boundary(), file, WHOLE, NEVER)) {
          if (!begun) await meanwhile();
          begun = true;
        }
      };
      expect(await refusalCode(reading())).toBe("FileChanged");
    }
    expect((await readFile(file)).length).toBe(1_000_000);
  });
});
