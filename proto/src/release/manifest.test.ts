import { describe, expect, it } from "vitest";
import { generateKeyPair } from "../credentials/ed25519.ts";
import { PROTOCOL } from "../protocol.ts";
import { isArtefact, type ReleaseManifest, signManifest, verifyManifest } from "./manifest.ts";

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const artefact = (file: string) => ({ file, sha256: EMPTY_SHA256, bytes: 1 });

const MANIFEST: ReleaseManifest = {
  product: "cmdop",
  version: "1.2.3",
  commit: "0".repeat(40),
  committedAt: 1_700_000_000,
  protocol: PROTOCOL,
  installer: artefact("install.sh"),
  archives: { "linux-x64": artefact("cmdop-1.2.3-linux-x64.tar.gz") },
};

describe("a release's manifest", () => {
  it("says what it said, under the key that has signed it", async () => {
    const key = generateKeyPair();
    expect(await verifyManifest(`${await signManifest(MANIFEST, key)}\n`, key.publicKey)).toEqual(MANIFEST);
  });

  it("is refused under another key, and where a byte of it was changed", async () => {
    const key = generateKeyPair();
    const text = await signManifest(MANIFEST, key);
    await expect(verifyManifest(text, generateKeyPair().publicKey)).rejects.toThrow("not known here");
    const [header, claims = "", signature] = text.split(".");
    const other = Buffer.from(JSON.stringify({ ...MANIFEST, version: "9.9.9" })).toString("base64url");
    await expect(verifyManifest([header, other, signature].join("."), key.publicKey)).rejects.toMatchObject({
      code: "AccessDenied",
    });
    await expect(verifyManifest(claims, key.publicKey)).rejects.toMatchObject({ code: "AccessDenied" });
  });

  it("names files and nothing outside its directory", async () => {
    const installer = artefact("../install.sh");
    await expect(signManifest({ ...MANIFEST, installer }, generateKeyPair())).rejects.toThrow("plain name");
  });

  it("tells a file from another of the same length, and from a longer one", () => {
    const file = { file: "a", sha256: EMPTY_SHA256, bytes: 0 };
    expect(isArtefact(file, Buffer.alloc(0))).toBe(true);
    expect(isArtefact({ ...file, bytes: 1 }, Buffer.from("x"))).toBe(false);
    expect(isArtefact(file, Buffer.from("x"))).toBe(false);
  });
});
