import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { formatSealedKey, generateKeyPair, sealOwnerKey } from "@cmdop/proto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseRelayTarget, readOwnerKey } from "./owner-key.ts";

const passphrase = "words that the test has made up";
const key = generateKeyPair();
const sealed = formatSealedKey(await sealOwnerKey(key, { passphrase, recovery: undefined }));

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-owner-"));
  file = path.join(directory, "owner.key");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Returns the error that opening the file throws. */
const refused = (given?: string) =>
  readOwnerKey(file, given).then(
    () => "no error",
    (thrown: unknown) => thrown,
  );

it("opens the key that a file holds with its passphrase, and with no other", async () => {
  writeFileSync(file, sealed, { mode: 0o600 });
  expect((await readOwnerKey(file, passphrase)).id).toBe(key.id);
  expect(await refused("another")).toMatchObject({
    code: "Unauthenticated",
    next: expect.stringContaining("owner recover"),
  });
  expect(await refused()).toMatchObject({
    code: "Unauthenticated",
    next: expect.stringContaining("CMDOP_OWNER_PASSPHRASE"),
  });
});

it("promise 10: refuses what is missing, damaged, unsealed or open to others, says what to do, and quotes nothing", async () => {
  expect(await refused(passphrase)).toMatchObject({
    code: "InvalidArgument",
    next: expect.stringContaining("cmdop init"),
  });
  writeFileSync(file, "c2VjcmV0", { mode: 0o600 });
  expect(await refused(passphrase)).toMatchObject({ code: "InvalidArgument" });
  expect(String(await refused(passphrase))).not.toContain("c2VjcmV0");
  writeFileSync(file, "x".repeat(1024 * 1024));
  expect(await refused(passphrase)).toMatchObject({ code: "InvalidArgument" });
  const seed = Buffer.from(key.seed).toString("base64url");
  writeFileSync(file, seed);
  const bare = await refused(passphrase);
  expect(bare).toMatchObject({ code: "AccessDenied", message: expect.stringContaining("unsealed") });
  expect(String(bare)).not.toContain(seed);
  writeFileSync(file, sealed);
  chmodSync(file, 0o644);
  expect(await refused(passphrase)).toMatchObject({
    code: "AccessDenied",
    next: expect.stringContaining(`chmod go-rwx ${file}`),
  });
});

it("reads where a relay is", () => {
  const { id } = generateKeyPair();
  expect(parseRelayTarget(`${id}@relay.example:7443`)).toEqual({ id, address: "relay.example:7443" });
  for (const text of ["relay.example:7443", `${id}@`, `@relay.example:1`, `${id}@relay.example`]) {
    expect(() => parseRelayTarget(text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  }
});
