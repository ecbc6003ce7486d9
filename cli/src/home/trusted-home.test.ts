import { chmod, lchown, mkdir, mkdtemp, realpath, rm, stat, symlink } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeTrusted, whyDistrusted } from "./trusted-home.ts";

/** A user that is neither us nor root. */
const SOMEBODY = 65_534;

let directory: string;
let home: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(path.join(os.tmpdir(), "cmdop-trusted-")));
  home = path.join(directory, "a/home");
  await mkdir(home, { recursive: true, mode: 0o755 });
});

afterEach(() => rm(directory, { recursive: true }));

describe("a home is relied on", () => {
  it("where it is ours, or not there yet", () => {
    expect(whyDistrusted(home)).toBeUndefined();
    expect(whyDistrusted(path.join(home, "not/there"))).toBeUndefined();
    expect(whyDistrusted("/usr/lib")).toBeUndefined();
  });

  it("not where others may write into it, or into a directory above it", async () => {
    for (const open of [home, path.dirname(home)]) {
      for (const mode of [0o777, 0o757]) {
        await chmod(open, mode);
        expect(whyDistrusted(home)).toMatchObject({
          reason: expect.stringContaining(`Others may write into ${open}`),
          next: expect.stringContaining(`chmod go-w ${open}`),
        });
        await chmod(open, 0o755);
      }
    }
  });

  it("in a directory of everybody's, but not with one as a home", () => {
    expect(whyDistrusted(path.join(os.tmpdir(), "not-there"))).toBeUndefined();
    expect(whyDistrusted(os.tmpdir())?.reason).toContain("Others may write");
  });

  it("not where it, a directory above it or a link to it belongs to somebody else", async () => {
    await symlink(home, path.join(directory, "link"));
    expect(whyDistrusted(path.join(directory, "link"))).toBeUndefined();
    for (const [theirs, way] of [
      [home, home],
      [path.dirname(home), home],
      [home, path.join(directory, "link")],
      [path.join(directory, "link"), path.join(directory, "link")],
    ] as const) {
      await lchown(theirs, SOMEBODY, SOMEBODY);
      expect(whyDistrusted(way)).toMatchObject({
        reason: expect.stringContaining(`${theirs} belongs to user ${SOMEBODY}`),
        next: expect.stringContaining("CMDOP_HOME"),
      });
      await lchown(theirs, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    }
  });

  it("not by way of a link that leads through somebody else's directory", async () => {
    await mkdir(path.join(directory, "theirs"));
    await symlink(home, path.join(directory, "theirs/home"));
    await symlink("theirs/home", path.join(directory, "link"));
    await lchown(path.join(directory, "theirs"), SOMEBODY, SOMEBODY);
    expect(whyDistrusted(path.join(directory, "link"))?.reason).toContain("theirs belongs to");
  });

  it("is not waited for where a link leads to itself", async () => {
    await symlink("link", path.join(directory, "link"));
    expect(whyDistrusted(path.join(directory, "link"))?.reason).toContain("leads nowhere");
  });

  it("and is made for its user alone, whatever the umask", async () => {
    const before = process.umask(0o000);
    try {
      expect(makeTrusted(path.join(directory, "new/home"))).toBeUndefined();
    } finally {
      process.umask(before);
    }
    for (const made of ["new", "new/home"]) {
      expect((await stat(path.join(directory, made))).mode & 0o777).toBe(0o700);
    }
  });
});
