import { describe, expect, it } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { formatSealedKey, openOwnerKey, parseSealedKey, sealOwnerKey } from "./sealed-owner-key.ts";

const key = generateKeyPair();
const recovery = generateKeyPair().publicKey;
const passphrase = "seven words that nobody else would say";
const sealed = await sealOwnerKey(key, { passphrase, recovery });
const text = formatSealedKey(sealed);
const seed = Buffer.from(key.seed);

/** Returns the error of parsing this text. */
function refused(damaged: string): unknown {
  try {
    return parseSealedKey(damaged, "owner.key");
  } catch (thrown) {
    return thrown;
  }
}

/** Returns the file with changed fields. */
const changed = (change: object): string => JSON.stringify({ ...sealed, ...change });

describe("a sealed owner key", () => {
  it("shows who the owner is, and the private half only to the passphrase", async () => {
    const read = parseSealedKey(text, "owner.key");
    expect(read).toMatchObject({ owner: key.publicKey, recovery });
    expect(text).not.toContain(seed.toString("base64url"));
    expect(Buffer.from(read.sealed, "base64url").includes(seed)).toBe(false);
    expect((await openOwnerKey(read, passphrase))?.id).toBe(key.id);
    expect(await openOwnerKey(read, `${passphrase}.`)).toBeUndefined();
  });

  it("is another one each time, for the same key and passphrase", async () => {
    const again = await sealOwnerKey(key, { passphrase, recovery });
    expect(again.kdf.salt).not.toBe(sealed.kdf.salt);
    expect(again.nonce).not.toBe(sealed.nonce);
    expect(again.sealed).not.toBe(sealed.sealed);
  });

  it("takes a passphrase as people type it: blanks around it and how letters are put together don't count", async () => {
    const accented = await sealOwnerKey(key, { passphrase: "caf\u00e9 by the sea", recovery: undefined });
    expect((await openOwnerKey(accented, " cafe\u0301 by the sea\n"))?.id).toBe(key.id);
  });

  it.each([
    ["the owner", { owner: recovery }],
    ["the recovery owner", { recovery: key.publicKey }],
    ["no recovery owner", { recovery: undefined }],
    ["the cost", { kdf: { ...sealed.kdf, p: 2 } }],
    ["the nonce", { nonce: "AAAAAAAAAAAAAAAA" }],
    ["the sealed half", { sealed: Buffer.alloc(48).toString("base64url") }],
  ])("does not open once %s has been changed", async (_what, change) => {
    expect(await openOwnerKey(parseSealedKey(changed(change), "owner.key"), passphrase)).toBeUndefined();
  });

  it.each([
    ["too much memory", { kdf: { ...sealed.kdf, N: 2 ** 30 } }],
    ["a cost that is no power of two", { kdf: { ...sealed.kdf, N: 1000 } }],
    ["too large blocks", { kdf: { ...sealed.kdf, r: 2 ** 20 } }],
    ["too much time", { kdf: { ...sealed.kdf, p: 2 ** 20 } }],
    ["another version", { version: 2 }],
    ["a member that there is not", { more: 1 }],
    ["a short seal", { sealed: "AAAA" }],
  ])("is refused with %s, before any work is done", (_what, change) => {
    expect(refused(changed(change))).toMatchObject({ code: "InvalidArgument" });
  });

  it("promise 10: what is no sealed key is refused with a way out, and never quoted", () => {
    const bare = refused(`${seed.toString("base64url")}\n`);
    expect(bare).toMatchObject({
      code: "AccessDenied",
      next: expect.stringContaining(`owner recover --remove ${key.publicKey}`),
    });
    expect(`${bare}`).not.toContain(seed.toString("base64url"));
    for (const other of ["", "{", "c2VjcmV0", "null", "[]"]) {
      const thrown = refused(other);
      expect(thrown).toMatchObject({
        code: "InvalidArgument",
        next: expect.stringContaining("owner recover"),
      });
      expect(`${thrown}`).not.toContain("c2VjcmV0");
    }
  });
});
