import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadPolicy } from "./policy-file.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "cmdop-policy-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function written(name: string, text: string, mode = 0o600): Promise<string> {
  const file = path.join(dir, name);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

it("takes a missing file for a policy that allows everything", async () => {
  expect(await loadPolicy(path.join(dir, "none.json"))).toEqual({ policy: {}, hash: null, user: undefined });
});

it("reads what is there", async () => {
  const policy = { scopes: ["files:read"], roots: ["~/shared", "/srv"], readOnly: true };
  const loaded = await loadPolicy(await written("policy.json", JSON.stringify(policy)));
  expect(loaded).toEqual({ policy, hash: expect.stringMatching(/^[\w-]{43}$/), user: undefined });
});

it("never takes a file that it can't read for one that is missing", async () => {
  await expect(loadPolicy(dir)).rejects.toMatchObject({ code: "IsADirectory" });
  await expect(loadPolicy(await written("large.json", " ".repeat(65_537)))).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await expect(loadPolicy(await written("empty.json", ""))).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await expect(loadPolicy("/dev/zero")).rejects.toMatchObject({
    message: expect.stringContaining("regular file"),
  });
});

it.each([0o620, 0o602, 0o666])("refuses a file that others could have written (mode %o)", async (mode) => {
  const file = await written("open.json", "{}", mode);
  await expect(loadPolicy(file)).rejects.toMatchObject({
    code: "AccessDenied",
    message: expect.stringContaining(`mode ${mode.toString(8)}`),
    next: expect.stringContaining(`chmod go-w ${file}`),
  });
});

it.runIf(process.geteuid?.() === 0)("refuses a file of somebody else's", async () => {
  const file = await written("foreign.json", "{}");
  await chown(file, 65_534, 65_534);
  await expect(loadPolicy(file)).rejects.toMatchObject({
    code: "AccessDenied",
    next: expect.stringContaining("chown"),
  });
});

it("says of a user that jobs can't run as why not", async () => {
  const file = await written("user.json", '{"user": "cmdop-nobody-here"}');
  await expect(loadPolicy(file)).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringMatching(/user\.json can't be used: user: (this machine has no user|.*only root)/),
  });
});
