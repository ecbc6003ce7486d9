import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mountsMayHang } from "./mounts.ts";

const LOCAL = [
  "22 28 0:21 / /proc rw,relatime - proc proc rw",
  "28 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw",
  "29 28 0:23 / /a\\040-\\040nfs rw - tmpfs tmpfs rw",
];

async function listOf(lines: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "cmdop-mounts-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "mountinfo");
  await writeFile(file, lines.map((line) => `${line}\n`).join(""));
  return file;
}

test("local file systems answer, however many there are", async () => {
  expect(mountsMayHang(await listOf(LOCAL))).toBe(false);
  expect(mountsMayHang(await listOf(Array.from({ length: 1_000 }, () => LOCAL).flat()))).toBe(false);
});

test.each([
  "40 28 0:50 / /mnt/home rw,relatime shared:20 - nfs4 server:/home rw",
  "41 28 0:51 / /mnt/s rw - fuse.sshfs me@host: rw",
  "42 28 0:52 / /net rw - autofs auto.net rw",
  "43 28 0:53 / /mnt/new rw - unheardoffs new rw",
])("what waits for somebody else may not: %s", async (line) => {
  expect(mountsMayHang(await listOf([...LOCAL, line]))).toBe(true);
  expect(mountsMayHang(await listOf([...Array.from({ length: 1_000 }, () => LOCAL).flat(), line]))).toBe(
    true,
  );
});

test("where the mounts are not known, care is taken", () => {
  expect(mountsMayHang("/nowhere/mountinfo")).toBe(true);
});
