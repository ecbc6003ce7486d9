import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { isArtefact, MANIFEST_FILE, verifyManifest } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programNamed } from "./support/toolbox.ts";

const run = promisify(execFile);

const MAIN = path.join(import.meta.dirname, "../scripts/release/main.ts");
const PLATFORM = `${process.platform}-${process.arch}`;

/** Longest build of one archive, with all that it fetches, in milliseconds. */
const BUILD_TIMEOUT_MS = 900_000;

/** Takes minutes, and Debian's and npm's registries: at night only. release.test.ts has the rest of the way, by day. */
describe.runIf(process.env.CMDOP_TEST_RELEASES !== undefined)("a release", () => {
  let directory: string;
  let releaseKey: string;
  const builds = ["first", "second"].map((name) => () => path.join(directory, name));

  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-builds-"));
    const [strip, gnu] = process.arch === "x64" ? ["x86_64", "x86-64"] : ["aarch64", "aarch64"];
    programNamed("patchelf");
    programNamed(`${strip}-linux-gnu-strip`, `binutils-${gnu}-linux-gnu`);
    const key = path.join(directory, "release.key");
    const made = await run(process.execPath, [MAIN, "keygen", key]);
    releaseKey = made.stdout.trim().split(" ").at(-1) ?? "";
    for (const build of builds) {
      const options = ["--key", key, "--platform", PLATFORM, "--only-archives", "--to", build()];
      await run(process.execPath, [MAIN, ...options]);
    }
  }, BUILD_TIMEOUT_MS);
  afterAll(() => rm(directory, { recursive: true }));

  const read = (name: string, build = 0): Promise<Buffer> =>
    readFile(path.join(builds[build]?.() ?? "", name));

  it("of one commit has the same hashes, whenever it is built", async () => {
    const sums = (await read("SHA256SUMS")).toString();
    expect(sums.split("\n").length).toBeGreaterThan(4);
    expect((await read("SHA256SUMS", 1)).toString()).toBe(sums);
  });

  it("has a manifest that its key has signed, and that is true of its files", async () => {
    const { installer, archives } = await verifyManifest(String(await read(MANIFEST_FILE)), releaseKey);
    expect(Object.keys(archives)).toEqual([PLATFORM]);
    for (const artefact of [installer, ...Object.values(archives)]) {
      expect(isArtefact(artefact, await read(artefact.file)), artefact.file).toBe(true);
    }
  });

  it("is installed and starts where there is busybox and nothing else", async () => {
    const root = path.join(directory, "root");
    for (const place of ["bin", "proc", "dev", "tmp", "root", "release"]) {
      await mkdir(path.join(root, place), { recursive: true });
    }
    const busybox = programNamed("busybox", "busybox-static");
    const install =
      "export PATH=/bin:/usr/local/bin HOME=/root; /bin/busybox --install -s /bin; sh /release/install.sh /release && cmdop version";
    await copyFile(busybox, path.join(root, "bin/busybox"));
    await symlink("busybox", path.join(root, "bin/sh"));
    const steps = [
      `mount --bind '${builds[0]?.()}' '${root}/release'`,
      `mount --bind /dev '${root}/dev'`,
      `mount -t proc proc '${root}/proc'`,
      `exec '${busybox}' chroot '${root}' /bin/sh -c '${install}'`,
    ];
    const { stdout } = await run("unshare", ["--mount", "sh", "-ec", steps.join("\n")]);
    expect(stdout).toMatch(/^cmdop \d+\.\d+\.\d+, commit [0-9a-f]{12} of .*, Node \d+/);
  });
});
