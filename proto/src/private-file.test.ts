import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

let file: string;

beforeEach(async () => {
  file = path.join(await mkdtemp(path.join(os.tmpdir(), "cmdop-private-")), "key");
});

afterEach(() => rm(path.dirname(file), { recursive: true }));

it("reads what it wrote, and finds nothing where nothing is", async () => {
  expect(readPrivateFile(file)).toBeUndefined();
  await writePrivateFile(file, "secret");
  expect(readPrivateFile(file)).toBe("secret");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it.each([0o640, 0o604, 0o660, 0o611])(
  "refuses a file of mode %o, says what to do, and quotes nothing",
  async (mode) => {
    await writeFile(file, "secret");
    await chmod(file, mode);
    const refused = expect.objectContaining({
      code: "AccessDenied",
      message: expect.stringMatching(/^(?!.*secret).*key/),
      next: expect.stringContaining(`chmod go-rwx ${file}`),
    });
    expect(() => readPrivateFile(file)).toThrow(refused);
    expect(() => readPrivateFile(file, { danger: "they know it." })).toThrow(
      expect.objectContaining({ next: expect.stringContaining("they know it.") }),
    );
  },
);

it("refuses a file that is too large to be it, and names one that it can't read or write", async () => {
  await writePrivateFile(file, "x".repeat(101));
  expect(() => readPrivateFile(file, { maxBytes: 100 })).toThrow(
    expect.objectContaining({ code: "InvalidArgument" }),
  );
  const below = path.join(file, "below");
  expect(() => readPrivateFile(below)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(below) }),
  );
  await expect(writePrivateFile(below, "x")).rejects.toMatchObject({
    message: expect.stringContaining(below),
  });
});
