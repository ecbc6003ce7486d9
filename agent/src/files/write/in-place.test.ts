import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  copyFile,
  link,
  open,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Boundary } from "../place/boundary.ts";
import {
  leftovers,
  makeScratch,
  mounted,
  mountedFile,
  refusal,
  refusalCode,
  run,
  type Scratch,
} from "../place/test-support.ts";
import { hashOf } from "../read/content-hash.ts";
import { cleanUp } from "../tree/clean-up.ts";
import { Unfinished } from "../unfinished/unfinished.ts";
import { UnfinishedLog } from "../unfinished/unfinished-log.ts";
import type { WriteOptions } from "./replacement.ts";
import { writeContent } from "./write.ts";

const OLD = "the old content";

/** Tools that are not on every machine. */
beforeAll(async () => {
  await run("sh", ["-c", "command -v setfacl setfattr >&2 || apt-get install -y acl attr"]);
});

function write(boundary: Boundary, path: string, content: string, options: Partial<WriteOptions> = {}) {
  return writeContent(boundary, path, Buffer.from(content), { parents: false, ...options });
}

/** What a file has beside its content. */
async function dress(file: string): Promise<string> {
  const { stdout: acl } = await run("getfacl", ["--absolute-names", "--omit-header", file]);
  const { stdout: attributes } = await run("getfattr", ["--absolute-names", "--dump", "--match=-", file]);
  const { uid, gid, mode } = await stat(file);
  return [uid, gid, mode.toString(8), acl, attributes].join("\n");
}

/** Runs a line of our code as another process would: with its own mounts, or as another user. `boundary` and `write` are there. */
function programOf(scratch: Scratch, line: string): string {
  return `
    import { writeContent } from ${JSON.stringify(import.meta.resolve("./write.ts"))};
    import { systemPinning } from ${JSON.stringify(import.meta.resolve("../place/pin.ts"))};
    import { Unfinished } from ${JSON.stringify(import.meta.resolve("../unfinished/unfinished.ts"))};
    import { UnfinishedLog } from ${JSON.stringify(import.meta.resolve("../unfinished/unfinished-log.ts"))};
    const unfinished = new Unfinished(new UnfinishedLog(${JSON.stringify(scratch.at("unfinished.log"))}));
    const boundary = { ...${JSON.stringify(scratch.boundary())}, pinning: systemPinning, unfinished };
    const write = (path, content) => writeContent(boundary, path, content, { parents: false }).then(
      ({ written }) => console.log(written?.atomic, written?.message),
      (error) => console.log(error.code, error.message),
    );
    ${line}`;
}

describe("a file that is written keeps what it has", () => {
  it("its ACL, its attributes, its owner and its mode, and is replaced at once", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    // What new files get here is not what this one has.
    await run("setfacl", ["--default", "--modify", "u:nobody:rwx,g:games:rwx", scratch.at("d")]);
    await chown(file, 1234, 5678);
    await chmod(file, 0o640);
    await run("setfacl", ["--modify", "u:daemon:rw,g:games:r", file]);
    await run("setfattr", ["--name", "user.note", "--value", "kept", file]);
    const before = await dress(file);
    expect(before).toContain("group:games:r--");
    const { ino } = await stat(file);
    const entry = await write(scratch.boundary(), file, "new", { ifMatch: hashOf(Buffer.from(OLD)) });
    expect(entry).not.toHaveProperty("written");
    expect([await readFile(file, "utf8"), await dress(file)]).toEqual(["new", before]);
    expect((await stat(file)).ino).not.toBe(ino);
  });

  it("and nothing that its directory gives to new files", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    await run("setfacl", ["--default", "--modify", "u:nobody:rwx", scratch.at("d")]);
    const before = await dress(file);
    await write(scratch.boundary(), file, "new");
    expect(await dress(file)).toBe(before);
  });

  it("its other names, which show the new content", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", OLD);
    await link(file, scratch.at("other"));
    await run("setfattr", ["--name", "user.note", "--value", "kept", file]);
    const before = await dress(file);
    const entry = await write(scratch.boundary(), file, "new");
    expect(entry).toMatchObject({
      size: 3n,
      written: { atomic: false, linkSplit: false, message: expect.stringContaining("2 names (hard links)") },
    });
    expect([await readFile(scratch.at("other"), "utf8"), await dress(file)]).toEqual(["new", before]);
    const { ino } = await stat(file);
    expect((await stat(scratch.at("other"))).ino).toBe(ino);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("but not names that may lie where its caller may not write, and says so", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("root/f", OLD);
    await link(file, scratch.at("outside"));
    const entry = await write(scratch.boundary([scratch.at("root")]), file, "new");
    expect(entry.written).toMatchObject({ atomic: true, linkSplit: true });
    expect(entry.written?.message).toContain("kept the old content");
    expect([await readFile(file, "utf8"), await readFile(scratch.at("outside"), "utf8")]).toEqual([
      "new",
      OLD,
    ]);
  });

  it("not setuid, which was given to the old content, even in place", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", OLD);
    await link(file, scratch.at("other"));
    await chmod(file, 0o4755);
    expect((await write(scratch.boundary(), file, "new")).mode).toBe(0o755);
  });

  it("a program that is running is replaced, and its other name keeps the old one", async () => {
    await using scratch = await makeScratch();
    const program = scratch.at("sleep");
    await copyFile("/bin/sleep", program);
    await link(program, scratch.at("other"));
    const child = spawn(program, ["60"]);
    await once(child, "spawn");
    const entry = await write(scratch.boundary(), program, "new");
    child.kill("SIGKILL");
    expect(entry.written).toMatchObject({ atomic: true, linkSplit: true });
    expect(await readFile(program, "utf8")).toBe("new");
  });

  it("where no cp can carry it over, it is written in place, and says so", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", OLD);
    await run("setfattr", ["--name", "user.note", "--value", "kept", file]);
    const before = await dress(file);
    const program = programOf(scratch, `await write(${JSON.stringify(file)}, Buffer.from("new"));`);
    const script = 'mount --bind /bin/false /usr/bin/cp && exec "$@"';
    const node = [process.execPath, "--input-type=module", "-e", program];
    const { stdout } = await run("unshare", ["--mount", "sh", "-c", script, "sh", ...node]);
    expect(stdout).toMatch(/^false written in place, since its ACL and attributes can't be given/);
    expect([await readFile(file, "utf8"), await dress(file)]).toEqual(["new", before]);
  });
});

describe("a file that can't be replaced is written in place", () => {
  it("one that is mounted over another: with conditions as exact as ever", async () => {
    await using scratch = await makeScratch();
    const source = await scratch.file("source", OLD);
    const file = await scratch.file("d/hosts", "hidden");
    await using _ = await mountedFile(file, source);
    const boundary = scratch.boundary();
    const entry = await write(boundary, file, "longer than it was before", {
      ifMatch: hashOf(Buffer.from(OLD)),
    });
    expect(entry.written).toMatchObject({ atomic: false, message: expect.stringContaining("a mount point") });
    expect(await readFile(source, "utf8")).toBe("longer than it was before");
    expect(await refusalCode(write(boundary, file, "x", { ifMatch: hashOf(Buffer.from(OLD)) }))).toBe(
      "FileChanged",
    );
    expect(await refusalCode(write(boundary, file, "x", { ifAbsent: true }))).toBe("AlreadyExists");
    await write(boundary, file, "");
    expect(await readFile(source, "utf8")).toBe("");
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("of 64 writers with one condition exactly one wins, by whichever of its names", async () => {
    await using scratch = await makeScratch();
    const source = await scratch.file("source", OLD);
    const file = await scratch.file("d/f", "hidden");
    await using _ = await mountedFile(file, source);
    await link(source, scratch.at("other"));
    const ifMatch = hashOf(Buffer.from(OLD));
    const names = [file, source, scratch.at("other")];
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, (_, index) =>
        write(scratch.boundary(), names[index % 3] ?? file, `writer ${index}`, { ifMatch }),
      ),
    );
    const codes = results.map((each) => (each.status === "fulfilled" ? "won" : each.reason.code));
    expect(codes.filter((code) => code === "won")).toHaveLength(1);
    expect(new Set(codes)).toEqual(new Set(["won", "FileChanged"]));
    expect(await readFile(source, "utf8")).toBe(`writer ${codes.indexOf("won")}`);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("not the agent's own state, by whatever name it is mounted", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", OLD);
    await using _ = await mountedFile(file, `${scratch.stateDir}/machine.key`);
    const { code } = await refusal(write(scratch.boundary(), file, "new"));
    expect(code).toBe("PolicyDenied");
  });

  it("what the disk does not take in the middle is put back", async () => {
    await using scratch = await makeScratch();
    await using _ = await mounted(scratch.at("small"), ["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    const file = await scratch.file("small/f", OLD);
    // A hole takes no room until it is written to.
    await truncate(file, 300_000);
    const before = await readFile(file);
    await using _file = await mountedFile(scratch.at("small/f"), file);
    const filler = await scratch.file("small/filler", "x".repeat(120_000));
    const error = await refusal(write(scratch.boundary(), file, "y".repeat(400_000)));
    expect(error.code).toBe("NoSpace");
    expect(await readFile(file)).toEqual(before);
    await rm(filler);
    expect(await leftovers(scratch.at("small"))).toEqual([]);
  });
});

describe("killed in the middle of writing in place", () => {
  const SIZE = 32 * 1024 * 1024;

  /** Has a file of two names written again and again, and kills the writer when the file has some of both contents; the file's name, and the letter that it was to be full of. */
  async function killed(scratch: Scratch): Promise<{ file: string; letter: string }> {
    const file = await scratch.file("d/f", "");
    await link(file, scratch.at("d/other"));
    const program = programOf(
      scratch,
      `import { receiveContent } from ${JSON.stringify(import.meta.resolve("./upload.ts"))};
      import { hashOf } from ${JSON.stringify(import.meta.resolve("../read/content-hash.ts"))};
      for (let round = 0; ; round++) {
        const data = Buffer.alloc(${SIZE}, "ab"[round % 2]);
        const pieces = async function* () { yield { data, finish: { size: ${SIZE}n, sha256: hashOf(data) } }; };
        await receiveContent(boundary, ${JSON.stringify(file)}, pieces(), { parents: false });
      }`,
    );
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "inherit" });
    await using held = await open(file);
    const letterAt = async (position: number): Promise<string> =>
      (await held.read(Buffer.alloc(1), 0, 1, position)).buffer.toString();
    const isMixed = async (): Promise<boolean> => {
      const [first, last] = [await letterAt(0), await letterAt(SIZE - 1)];
      return first !== "\0" && last !== "\0" && first !== last;
    };
    while (!(await isMixed())) await new Promise((resolve) => setImmediate(resolve));
    child.kill("SIGKILL");
    await once(child, "close");
    // Where it was done at that very moment, there is nothing to be seen; a slow disk makes that rare.
    return { file, letter: await letterAt(0) };
  }

  async function started(scratch: Scratch): Promise<{ unfinished: Unfinished; troubles: unknown[] }> {
    const unfinished = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
    const troubles: unknown[] = [];
    const { left } = unfinished;
    const onTrouble = (_: string, error: unknown): void => void troubles.push(error);
    await unfinished.finish(scratch.boundary(), onTrouble);
    await cleanUp(unfinished, scratch.boundary(), left, onTrouble);
    return { unfinished, troubles };
  }

  it("the next start goes on, and leaves nothing behind", async () => {
    await using scratch = await makeScratch();
    const { file, letter } = await killed(scratch);
    expect(await leftovers(scratch.dir)).toHaveLength(2);
    const { unfinished, troubles } = await started(scratch);
    expect([unfinished.left, troubles, await leftovers(scratch.dir)]).toEqual([[], [], []]);
    expect((await readFile(file)).equals(Buffer.alloc(SIZE, letter))).toBe(true);
    expect((await stat(file)).nlink).toBe(2);
  });

  /** What a crash leaves, made by hand. */
  async function left(scratch: Scratch): Promise<string> {
    const file = await scratch.file("d/f", `${"n".repeat(1_024)}${"o".repeat(2_000)}`);
    const unfinished = new Unfinished(new UnfinishedLog(scratch.at("unfinished.log")));
    const [before, next] = [".cmdop-tmp-0000000000000000", ".cmdop-tmp-1111111111111111"] as const;
    await writeFile(scratch.at("d", before), "o".repeat(3_024), { mode: 0o600 });
    await writeFile(scratch.at("d", next), "n".repeat(1_500), { mode: 0o600 });
    await unfinished.note(scratch.at("d"), before);
    await unfinished.noteOver(scratch.at("d"), next, {
      path: file,
      inode: String((await stat(file)).ino),
      before,
    });
    return file;
  }

  it.each<[string, (file: string) => Promise<unknown>]>([
    [
      "what somebody has changed since stays as it is",
      async (file) => {
        await using theirs = await open(file, "r+");
        await theirs.write("their change", 1_000);
      },
    ],
    [
      "what others can have put there is not written anywhere",
      (file) => chmod(file.replace(/f$/, ".cmdop-tmp-1111111111111111"), 0o666),
    ],
  ])("%s, and both contents stay beside it", async (_, change) => {
    await using scratch = await makeScratch();
    const file = await left(scratch);
    await change(file);
    const before = await readFile(file);
    const { unfinished, troubles } = await started(scratch);
    expect(troubles).toMatchObject([{ code: "FileChanged" }]);
    expect((await readFile(file)).equals(before)).toBe(true);
    expect([unfinished.left.length, (await leftovers(scratch.dir)).length]).toEqual([2, 2]);
  });

  it("a file that has taken its name since is none of it", async () => {
    await using scratch = await makeScratch();
    const file = await left(scratch);
    await writeFile(`${file}.next`, "another file");
    await run("mv", [`${file}.next`, file]);
    const { unfinished, troubles } = await started(scratch);
    expect([unfinished.left, troubles, await leftovers(scratch.dir)]).toEqual([[], [], []]);
    expect(await readFile(file, "utf8")).toBe("another file");
  });
});
