import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFile,
  chmod,
  chown,
  link,
  lstat,
  lutimes,
  mkdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { openPlace } from "../place/resolve.ts";
import {
  leftovers,
  makeScratch,
  mounted,
  NEVER,
  refusal,
  refusalCode,
  type Scratch,
  snapshot,
  whyNoMount,
} from "../place/test-support.ts";
import { publish } from "../write/publish.ts";
import { copy } from "./copy.ts";
import { move } from "./move.ts";

/** Copies or moves `from` to `to` in the scratch directory. */
type Transfer = (scratch: Scratch, from: string, to: string, overwrite?: boolean) => Promise<unknown>;

const copyTree: Transfer = (scratch, from, to, overwrite = false) =>
  copy(scratch.boundary(), scratch.at(from), scratch.at(to), { recursive: true, overwrite }, NEVER);
const moveTree: Transfer = (scratch, from, to, overwrite = false) =>
  move(scratch.boundary(), scratch.at(from), scratch.at(to), { overwrite }, NEVER);

/** A tree with everything that a copy has to keep. */
async function makeTree(scratch: Scratch, name: string): Promise<void> {
  await scratch.file(`${name}/sub/program`, "#!/bin/sh\n");
  await chmod(scratch.at(name, "sub/program"), 0o751);
  await utimes(scratch.at(name, "sub/program"), 1_000_000, 1_234_567.25);
  await writeFile(scratch.at(name, "large"), randomBytes(1_500_000));
  await symlink("sub/program", scratch.at(name, "link"));
  await lutimes(scratch.at(name, "link"), 5_000, 6_000);
  await symlink("/nowhere/at/all", scratch.at(name, "dangling"));
  await mkdir(scratch.at(name, "empty"));
  await chmod(scratch.at(name, "empty"), 0o1700);
  await utimes(scratch.at(name, "empty"), 7_000, 8_000);
}

async function expectKept(scratch: Scratch, name: string, content: Record<string, string>): Promise<void> {
  expect(await snapshot(scratch.at(name))).toEqual(content);
  const program = await stat(scratch.at(name, "sub/program"));
  expect([program.mode & 0o7777, program.mtimeMs]).toEqual([0o751, 1_234_567_250]);
  expect((await lstat(scratch.at(name, "link"))).mtimeMs).toBe(6_000_000);
  const empty = await stat(scratch.at(name, "empty"));
  expect([empty.mode & 0o7777, empty.mtimeMs]).toEqual([0o1700, 8_000_000]);
}

describe.each([
  ["copy", copyTree],
  ["move", moveTree],
])("%s", (verb, transfer) => {
  it("takes a tree along with modes, times and links", async () => {
    await using scratch = await makeScratch();
    await makeTree(scratch, "from");
    const content = await snapshot(scratch.at("from"));
    expect(await transfer(scratch, "from", "to")).toMatchObject({ name: "to", type: "directory" });
    await expectKept(scratch, "to", content);
    expect((await snapshot(scratch.dir)).from).toBe(verb === "copy" ? "directory" : undefined);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("takes a link as a link", async () => {
    await using scratch = await makeScratch();
    await scratch.file("target/f");
    await symlink("target", scratch.at("from"));
    await transfer(scratch, "from", "to");
    expect((await snapshot(scratch.dir)).to).toBe("-> target");
  });

  it("replaces nothing unless asked, and then files only", async () => {
    await using scratch = await makeScratch();
    await scratch.file("file", "file");
    await scratch.file("dir/f", "in dir");
    await scratch.file("target", "target");
    await symlink("target", scratch.at("link"));
    const before = await snapshot(scratch.dir);
    for (const [from, to] of [
      ["file", "target"],
      ["file", "link"],
      ["file", "dir"],
      ["dir", "file"],
      ["link", "file"],
    ] as const) {
      expect(await refusalCode(transfer(scratch, from, to))).toBe("AlreadyExists");
    }
    await mkdir(scratch.at("empty"));
    for (const [from, to] of [
      ["file", "dir"],
      ["dir", "file"],
      ["dir", "empty"],
    ] as const) {
      expect(await refusalCode(transfer(scratch, from, to, true))).toBe("AlreadyExists");
    }
    expect(await snapshot(scratch.dir)).toEqual({ ...before, empty: "directory" });
    await transfer(scratch, "file", "link", true);
    expect(await snapshot(scratch.dir)).toMatchObject({ link: "file", target: "target" });
  });

  it("refuses what would lose something: the same file, a directory into itself", async () => {
    await using scratch = await makeScratch();
    await scratch.file("dir/sub/f", "content");
    await link(scratch.at("dir/sub/f"), scratch.at("hard"));
    await symlink("dir", scratch.at("link"));
    const before = await snapshot(scratch.dir);
    for (const [from, to] of [
      ["dir/sub/f", "hard"],
      ["hard", "hard"],
      ["dir", "dir"],
      ["dir", "dir/sub/new"],
      ["dir", "link/sub/new"],
      ["dir", "dir/new"],
    ] as const) {
      expect(await refusalCode(transfer(scratch, from, to, true))).toBe("InvalidArgument");
    }
    expect(await snapshot(scratch.dir)).toEqual(before);
  });

  it("refuses the agent's state and what holds it", async () => {
    await using scratch = await makeScratch();
    for (const path of ["home/.cmdop", "home/.cmdop/machine.key", "home", ""]) {
      expect(await refusalCode(transfer(scratch, path, "to"))).toBe("PolicyDenied");
    }
    await scratch.file("f");
    expect(await refusalCode(transfer(scratch, "f", "home/.cmdop/x"))).toBe("PolicyDenied");
  });

  it("says which of the two paths is missing", async () => {
    await using scratch = await makeScratch();
    await scratch.file("f");
    expect((await refusal(transfer(scratch, "gone", "to"))).message).toContain("gone");
    expect((await refusal(transfer(scratch, "f", "nowhere/to"))).message).toContain("nowhere/to");
  });
});

describe("copy", () => {
  it("needs recursive for a directory", async () => {
    await using scratch = await makeScratch();
    const options = { recursive: false, overwrite: false };
    const attempt = copy(scratch.boundary(), "~", scratch.at("to"), options, NEVER);
    expect((await refusal(attempt)).next).toContain("recursive");
  });

  it("leaves nothing behind when it fails in the middle or its caller leaves", async () => {
    await using scratch = await makeScratch();
    await makeTree(scratch, "from");
    await mkdir(scratch.at("from/zz"));
    execFileSync("mkfifo", [scratch.at("from/zz/fifo")]);
    const error = await refusal(copyTree(scratch, "from", "to"));
    expect([error.code, error.message]).toEqual(["NotAFile", expect.stringContaining("from/zz/fifo")]);
    const options = { recursive: true, overwrite: false };
    const gone = AbortSignal.abort();
    const left = copy(scratch.boundary(), scratch.at("from"), scratch.at("to"), options, gone);
    expect(await refusalCode(left)).toBe("Canceled");
    expect(Object.keys(await snapshot(scratch.dir)).some((name) => /^to|tmp/.test(name))).toBe(false);
  });

  it("copies files that say they are empty, but not the agent's own process", async () => {
    await using scratch = await makeScratch();
    const options = { recursive: true, overwrite: false };
    await copy(scratch.boundary(), "/proc/version", scratch.at("version"), options, NEVER);
    expect(await readFile(scratch.at("version"), "utf8")).toContain("Linux");
    const self = copy(scratch.boundary(), "/proc/self/environ", scratch.at("environ"), options, NEVER);
    expect(await refusalCode(self)).toBe("PolicyDenied");
  });

  it("keeps a sparse file sparse, and says how far it is", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("from", "beginning");
    await truncate(file, 300_000_000);
    await appendFile(file, "end");
    const progress = { bytes: 0n, entries: 0n };
    const options = { recursive: false, overwrite: false };
    await copy(scratch.boundary(), file, scratch.at("to"), options, NEVER, progress);
    expect(progress).toEqual({ bytes: 300_000_003n, entries: 1n });
    const [from, to] = await Promise.all([stat(file), stat(scratch.at("to"))]);
    expect(to.size).toBe(from.size);
    // Node sets times as floating-point seconds: right to the microsecond.
    expect(to.mtimeMs).toBeCloseTo(from.mtimeMs, 2);
    expect(to.blocks * 512).toBeLessThan(2_000_000);
    execFileSync("cmp", [file, scratch.at("to")]);
    // A hole at the end too.
    await truncate(file, 400_000_000);
    await copy(scratch.boundary(), file, scratch.at("again"), options, NEVER);
    execFileSync("cmp", [file, scratch.at("again")]);
  });

  it("keeps names that are not UTF-8", async () => {
    await using scratch = await makeScratch();
    await mkdir(scratch.at("from"));
    const name = Buffer.from([0x61, 0xff]);
    const raw = (dir: string) => Buffer.concat([Buffer.from(`${scratch.at(dir)}/`), name]);
    await writeFile(raw("from"), "content");
    await copyTree(scratch, "from", "to");
    expect(await readFile(raw("to"), "utf8")).toBe("content");
  });
});

describe("move", () => {
  it("keeps the file itself", async () => {
    await using scratch = await makeScratch();
    const { ino } = await stat(await scratch.file("f"));
    await moveTree(scratch, "f", "g");
    expect((await stat(scratch.at("g"))).ino).toBe(ino);
    await scratch.file("h");
    await moveTree(scratch, "g", "h", true);
    expect(await snapshot(scratch.dir)).toMatchObject({ h: "f" });
  });

  it("does not move /, the home, or what holds it", async () => {
    await using scratch = await makeScratch();
    expect(await refusalCode(moveTree(scratch, "home", "elsewhere"))).toBe("PolicyDenied");
    const root = move(scratch.boundary(), "/", scratch.at("to"), { overwrite: false }, NEVER);
    expect(await refusalCode(root)).toBe("PolicyDenied");
  });

  it("goes to another filesystem by copy, whole or not at all", async ({ skip }) => {
    await using scratch = await makeScratch();
    const why = await whyNoMount(scratch);
    skip(why !== undefined, why);
    await using _ = await mounted(scratch.at("other"), ["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    await makeTree(scratch, "from");
    const content = await snapshot(scratch.at("from"));
    await moveTree(scratch, "from", "other/to");
    await expectKept(scratch, "other/to", content);
    expect(await snapshot(scratch.dir)).not.toHaveProperty("from");

    await makeTree(scratch, "from");
    const again = await snapshot(scratch.at("from"));
    expect(await refusalCode(moveTree(scratch, "from", "other/too"))).toBe("NoSpace");
    expect(await snapshot(scratch.at("from"))).toEqual(again);
    expect(await leftovers(scratch.at("other"))).toEqual([]);
    expect(await refusalCode(moveTree(scratch, "from/sub/program", "other/to/link"))).toBe("AlreadyExists");
    await moveTree(scratch, "from/sub/program", "other/to/link", true);
    expect(await readFile(scratch.at("other/to/link"), "utf8")).toBe("#!/bin/sh\n");
  });

  it("where hard links are refused, still replaces nothing", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "only root can act as somebody else");
    const protect = await readFile("/proc/sys/fs/protected_hardlinks", "utf8");
    skip(protect !== "1\n", "this kernel lets everybody link to everything");
    await using scratch = await makeScratch();
    await mkdir(scratch.at("d"));
    for (const name of ["", "home", "home/.cmdop", "d"]) await chown(scratch.at(name), 65534, 65534);
    await scratch.file("d/foreign");
    await scratch.file("d/taken");
    process.seteuid?.(65534);
    try {
      expect(await refusalCode(moveTree(scratch, "d/foreign", "d/taken"))).toBe("AlreadyExists");
      await moveTree(scratch, "d/foreign", "d/moved");
    } finally {
      process.seteuid?.(0);
    }
    expect(await snapshot(scratch.at("d"))).toEqual({ moved: "d/foreign", taken: "d/taken" });
  });
});

describe("publish", () => {
  it.each(["file", "directory"])(
    "without overwrite replaces not even what appeared after it looked (a %s)",
    async (kind) => {
      await using scratch = await makeScratch();
      const boundary = scratch.boundary();
      if (kind === "file") await scratch.file("from", "mine");
      else await scratch.file("from/f", "mine");
      using origin = await openPlace(boundary, scratch.at("from"));
      using pin = await boundary.pinning.pin(scratch.at("from"));
      using place = await openPlace(boundary, scratch.at("to"));
      await scratch.file("to", "somebody else's");
      const source = { directory: origin.directory, name: "from", pin };
      expect(await refusalCode(publish(source, place, false))).toBe("AlreadyExists");
      expect((await snapshot(scratch.dir)).to).toBe("somebody else's");
      expect((await snapshot(scratch.dir)).from).toBe(kind === "file" ? "mine" : "directory");
    },
  );

  it("gives a file another name without taking away what got the old name meanwhile", async () => {
    await using scratch = await makeScratch();
    const boundary = scratch.boundary();
    await scratch.file("from", "mine");
    await scratch.file("newer", "newer");
    using origin = await openPlace(boundary, scratch.at("from"));
    using pin = await boundary.pinning.pin(scratch.at("from"));
    using place = await openPlace(boundary, scratch.at("to"));
    await rename(scratch.at("newer"), scratch.at("from"));
    await publish({ directory: origin.directory, name: "from", pin }, place, false);
    expect(await snapshot(scratch.dir)).toMatchObject({ from: "newer" });
  });

  it("a file that is copied onto another gives it its content: owner, mode and other names stay, as with cp", async () => {
    await using scratch = await makeScratch();
    await scratch.file("a", "new");
    await chmod(scratch.at("a"), 0o644);
    await scratch.file("b", "the old content");
    await link(scratch.at("b"), scratch.at("other"));
    await chmod(scratch.at("b"), 0o600);
    if (process.getuid?.() === 0) await chown(scratch.at("b"), 1, 1);
    const before = await stat(scratch.at("b"));
    await copyTree(scratch, "a", "b", true);
    const { ino, uid, gid, mode } = await stat(scratch.at("b"));
    expect({ ino, uid, gid, mode }).toEqual({
      ino: before.ino,
      uid: before.uid,
      gid: before.gid,
      mode: before.mode,
    });
    expect(await readFile(scratch.at("other"), "utf8")).toBe("new");
    expect((await stat(scratch.at("b"))).mtimeMs).toBeCloseTo((await stat(scratch.at("a"))).mtimeMs, 0);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });
});
