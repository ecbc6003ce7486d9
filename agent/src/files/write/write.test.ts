import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, open, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { MAX_UNARY_CONTENT_BYTES } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import {
  leftovers,
  makeScratch,
  mounted,
  refusal,
  refusalCode,
  run,
  type Scratch,
  snapshot,
  whyNoMount,
} from "../place/test-support.ts";
import { cleanUp } from "../tree/clean-up.ts";
import { Unfinished } from "../unfinished/unfinished.ts";
import { UnfinishedLog } from "../unfinished/unfinished-log.ts";
import type { WriteOptions } from "./replacement.ts";
import { receiveContent, type UploadPiece } from "./upload.ts";
import { writeContent } from "./write.ts";

const PLAIN: WriteOptions = { parents: false };
const OLD = "the old content";
const NOBODY = 65534;

async function write(scratch: Scratch, path: string, content: string, options: WriteOptions = PLAIN) {
  return writeContent(scratch.boundary(), path, Buffer.from(content), options);
}

async function* pieces(...all: UploadPiece[]): AsyncGenerator<UploadPiece> {
  yield* all;
}

function finish(content: Uint8Array) {
  return { size: BigInt(content.length), sha256: createHash("sha256").update(content).digest() };
}

describe("write", () => {
  it("makes a new file, with the mode that was asked for", async () => {
    await using scratch = await makeScratch();
    const entry = await write(scratch, scratch.at("f"), "hello");
    expect(entry).toMatchObject({ name: "f", path: scratch.at("f"), size: 5n, type: "file" });
    expect(entry.mode).toBe(0o644 & ~process.umask());
    await write(scratch, scratch.at("g"), "x", { ...PLAIN, mode: 0o666 });
    expect((await stat(scratch.at("g"))).mode & 0o7777).toBe(0o666);
    expect(await refusalCode(write(scratch, scratch.at("h"), "x", { ...PLAIN, mode: 0o4755 }))).toBe(
      "InvalidArgument",
    );
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("gives mode and time as it is told: less the umask, or to a file that exists too", async () => {
    await using scratch = await makeScratch();
    const file = scratch.at("with-time");
    const masked = await write(scratch, file, "x", {
      ...PLAIN,
      mode: 0o666,
      modeUse: "masked",
      mtimeMs: 1_500,
    });
    expect(masked).toMatchObject({ mode: 0o666 & ~process.umask(), mtimeMs: 1_500 });
    const kept = await write(scratch, file, "y", { ...PLAIN, mode: 0o600, modeUse: "masked" });
    expect(kept.mode).toBe(masked.mode);
    expect(kept.mtimeMs).toBeGreaterThan(1_500);
    const given = await write(scratch, file, "z", { ...PLAIN, mode: 0o640, modeUse: "always" });
    expect(given.mode).toBe(0o640);
  });

  it("replaces a file at once: who holds the old one keeps it; mode and owner stay", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", OLD);
    await chmod(file, 0o604);
    if (process.getuid?.() === 0) await chown(file, 1234, 5678);
    const before = await stat(file);
    await using old = await open(file);
    const entry = await write(scratch, file, "new", { ...PLAIN, mode: 0o777 });
    const after = await stat(file);
    expect(await readFile(file, "utf8")).toBe("new");
    expect(await old.readFile("utf8")).toBe(OLD);
    expect(entry).not.toHaveProperty("written");
    expect(after.ino).not.toBe(before.ino);
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect([entry.mode, entry.uid, entry.gid]).toEqual([0o604, before.uid, before.gid]);
  });

  it("takes setuid away from a file whose content it replaces, as the kernel does", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", OLD);
    await chmod(file, 0o4755);
    expect((await write(scratch, file, "new")).mode).toBe(0o755);
  });

  it("writes through a link at the end: the target is replaced, not the link", async () => {
    await using scratch = await makeScratch();
    await scratch.file("real/f", OLD);
    await symlink("real/f", scratch.at("link"));
    const entry = await write(scratch, scratch.at("link"), "new");
    expect(entry.path).toBe(scratch.at("real/f"));
    expect(await snapshot(scratch.dir)).toMatchObject({ link: "-> real/f", "real/f": "new" });
    await symlink("nowhere", scratch.at("dangling"));
    expect(await refusalCode(write(scratch, scratch.at("dangling"), "x"))).toBe("NotFound");
  });

  it("makes missing directories only when asked", async () => {
    await using scratch = await makeScratch();
    expect(await refusalCode(write(scratch, scratch.at("a/b/c"), "x"))).toBe("NotFound");
    await write(scratch, scratch.at("a/b/c"), "x", { parents: true });
    expect(await readFile(scratch.at("a/b/c"), "utf8")).toBe("x");
    const below = write(scratch, scratch.at("a/b/c/d"), "x", { parents: true });
    expect(await refusalCode(below)).toBe("NotADirectory");
  });

  it("refuses what is no file, and more than a message carries", async () => {
    await using scratch = await makeScratch();
    expect(await refusalCode(write(scratch, scratch.home, "x"))).toBe("IsADirectory");
    expect(await refusalCode(write(scratch, "/", "x"))).toBe("IsADirectory");
    expect(await refusalCode(write(scratch, "/dev/null", "x"))).toBe("NotAFile");
    const large = Buffer.alloc(MAX_UNARY_CONTENT_BYTES + 1);
    const error = await refusal(writeContent(scratch.boundary(), scratch.at("f"), large, PLAIN));
    expect(error.code).toBe("MessageTooLarge");
    expect(error.next).toContain("WriteStream");
  });

  it("two writers at once: one of the two contents, whole", async () => {
    await using scratch = await makeScratch();
    const contents = Array.from({ length: 16 }, (_, index) => String(index).repeat(100_000));
    await Promise.all(contents.map((content) => write(scratch, scratch.at("f"), content)));
    expect(contents).toContain(await readFile(scratch.at("f"), "utf8"));
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("does not write what its user may not write; another owner's file is written in place, and stays that owner's", async ({
    skip,
  }) => {
    skip(process.getuid?.() !== 0, "only root can act as somebody else");
    await using scratch = await makeScratch();
    for (const dir of [scratch.dir, scratch.home, scratch.stateDir]) await chown(dir, NOBODY, NOBODY);
    const readOnly = await scratch.file("read-only", OLD);
    await chown(readOnly, NOBODY, NOBODY);
    await chmod(readOnly, 0o444);
    const foreign = await scratch.file("foreign", OLD);
    await chown(foreign, 1234, 5678);
    await chmod(foreign, 0o666);
    const closed = await scratch.file("roots/closed", OLD);
    await chmod(closed, 0o666);
    // access(2) asks for the real user, which a process can't change for a while only. It becomes nobody with all
    // of us loaded: nobody may be unable to read where we are.
    const program = `
      import { writeContent } from ${JSON.stringify(import.meta.resolve("./write.ts"))};
      import { systemPinning } from ${JSON.stringify(import.meta.resolve("../place/pin.ts"))};
      process.setgroups([]);
      process.setgid(${NOBODY});
      process.setuid(${NOBODY});
      const boundary = { ...${JSON.stringify(scratch.boundary())}, pinning: systemPinning };
      for (const path of ${JSON.stringify([readOnly, foreign, closed, scratch.at("roots/new")])}) {
        await writeContent(boundary, path, Buffer.from("new"), { parents: false }).then(
          ({ uid, written }) => console.log(uid, written?.atomic, written?.message),
          (error) => console.log(error.code, error.message),
        );
      }`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program]);
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^AccessDenied .*agent's user may not/),
      expect.stringMatching(/^1234 false written in place, .*owner/),
      expect.stringMatching(/^0 false written in place, .*no file can be made in its directory/),
      expect.stringMatching(/^AccessDenied /),
      "",
    ]);
    expect(await readFile(readOnly, "utf8")).toBe(OLD);
    expect([await readFile(foreign, "utf8"), await readFile(closed, "utf8")]).toEqual(["new", "new"]);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("on a full disk: NoSpace, the old content, nothing left behind", async ({ skip }) => {
    await using scratch = await makeScratch();
    const why = await whyNoMount(scratch);
    skip(why !== undefined, why);
    await using _ = await mounted(scratch.at("small"), ["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    const file = await scratch.file("small/f", OLD);
    const big = randomBytes(2_000_000);
    expect(await refusalCode(writeContent(scratch.boundary(), file, big, PLAIN))).toBe("NoSpace");
    const upload = receiveContent(
      scratch.boundary(),
      file,
      pieces({ data: big, finish: finish(big) }),
      PLAIN,
    );
    expect(await refusalCode(upload)).toBe("NoSpace");
    expect(await snapshot(scratch.at("small"))).toEqual({ f: OLD });
    await write(scratch, file, "there is room again");
  });
});

describe("upload", () => {
  it("commits on a finish that is right", async () => {
    await using scratch = await makeScratch();
    const content = randomBytes(3_000_000);
    const parts = [content.subarray(0, 1_000_000), content.subarray(1_000_000)];
    const stream = pieces({ data: new Uint8Array() }, ...parts.map((data) => ({ data })), {
      data: new Uint8Array(),
      finish: finish(content),
    });
    const { entry } = await receiveContent(scratch.boundary(), scratch.at("f"), stream, PLAIN);
    expect(entry?.size).toBe(3_000_000n);
    expect(await readFile(scratch.at("f"))).toEqual(content);
  });

  const data = Buffer.from("new content");
  it.each<[string, UploadPiece[]]>([
    ["ends without a finish", [{ data }]],
    ["ends before anything came", []],
    ["finishes with another size", [{ data, finish: { ...finish(data), size: 12n } }]],
    ["finishes with another hash", [{ data, finish: { ...finish(Buffer.from("New content")) } }]],
    [
      "finishes with half a hash",
      [{ data, finish: { ...finish(data), sha256: finish(data).sha256.subarray(16) } }],
    ],
    ["finishes without a hash", [{ data, finish: { size: 11n, sha256: new Uint8Array() } }]],
  ])("changes nothing when it %s", async (_, all) => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    for (const path of [file, scratch.at("d/new")]) {
      expect(await refusalCode(receiveContent(scratch.boundary(), path, pieces(...all), PLAIN))).toBe(
        "FileChanged",
      );
    }
    expect(await snapshot(scratch.at("d"))).toEqual({ f: OLD });
  });

  it("changes nothing when its pieces fail, and throws what they threw", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    const failing = async function* (): AsyncGenerator<UploadPiece> {
      yield { data };
      throw new Error("the stream broke");
    };
    await expect(receiveContent(scratch.boundary(), file, failing(), PLAIN)).rejects.toThrow(
      "the stream broke",
    );
    expect(await snapshot(scratch.at("d"))).toEqual({ f: OLD });
  });

  it("killed in the middle it leaves the old content, and the next start cleans up", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    const program = `
      import { receiveContent } from ${JSON.stringify(import.meta.resolve("./upload.ts"))};
      import { systemPinning } from ${JSON.stringify(import.meta.resolve("../place/pin.ts"))};
      import { Unfinished } from ${JSON.stringify(import.meta.resolve("../unfinished/unfinished.ts"))};
      import { UnfinishedLog } from ${JSON.stringify(import.meta.resolve("../unfinished/unfinished-log.ts"))};
      const unfinished = new Unfinished(new UnfinishedLog(${JSON.stringify(scratch.at("unfinished.log"))}));
      const boundary = { ...${JSON.stringify(scratch.boundary())}, pinning: systemPinning, unfinished };
      const pieces = async function* () {
        yield { data: Buffer.alloc(1_000_000) };
        console.log("half");
        await new Promise((resolve) => setInterval(() => undefined, 1_000));
      };
      await receiveContent(boundary, ${JSON.stringify(file)}, pieces(), { parents: false });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const temporaries = await leftovers(scratch.at("d"));
    child.kill("SIGKILL");
    await once(child, "close");
    expect(temporaries).toHaveLength(1);
    expect(await readFile(file, "utf8")).toBe(OLD);
    const troubles: unknown[] = [];
    const unfinished = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
    const { left } = unfinished;
    await cleanUp(unfinished, scratch.boundary(), left, (_, error) => troubles.push(error));
    expect([left, unfinished.left, troubles]).toEqual([temporaries, [], []]);
    expect(await snapshot(scratch.at("d"))).toEqual({ f: OLD });
  });

  it("fails before the first byte where it can't write at all", async () => {
    await using scratch = await makeScratch();
    await mkdir(scratch.at("d"));
    let asked = false;
    const eager = async function* (): AsyncGenerator<UploadPiece> {
      asked = true;
      yield { data, finish: finish(data) };
    };
    expect(await refusalCode(receiveContent(scratch.boundary(), scratch.at("d"), eager(), PLAIN))).toBe(
      "IsADirectory",
    );
    expect(asked).toBe(false);
    await writeFile(scratch.at("d/f"), OLD);
  });
});
