import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { signHello, verifyHello } from "./link-proof.ts";

const machine = generateKeyPair();
const transcript = {
  nonce: randomBytes(32),
  exporter: randomBytes(32),
  bootId: crypto.randomUUID(),
  lane: 1,
};
const signature = signHello(transcript, machine);

describe("the link's proof", () => {
  it("holds for exactly this challenge, connection, boot and lane", () => {
    expect(verifyHello(transcript, signature, machine.publicKey)).toBe(true);
  });

  it.each([
    ["another challenge", { ...transcript, nonce: randomBytes(32) }],
    ["another connection", { ...transcript, exporter: randomBytes(32) }],
    ["another boot", { ...transcript, bootId: crypto.randomUUID() }],
    ["another lane", { ...transcript, lane: 2 }],
    [
      "challenge and connection swapped",
      { ...transcript, nonce: transcript.exporter, exporter: transcript.nonce },
    ],
  ])("does not hold for %s", (_title, other) => {
    expect(verifyHello(other, signature, machine.publicKey)).toBe(false);
  });

  it("does not hold for another machine, or with a damaged signature", () => {
    expect(verifyHello(transcript, signature, generateKeyPair().publicKey)).toBe(false);
    expect(verifyHello(transcript, signature.subarray(1), machine.publicKey)).toBe(false);
    expect(verifyHello(transcript, new Uint8Array(0), machine.publicKey)).toBe(false);
  });

  it("refuses to sign a challenge whose length could blur the fields", () => {
    const blurred = { ...transcript, nonce: Buffer.concat([transcript.nonce, transcript.exporter]) };
    expect(() => signHello(blurred, machine)).toThrow(expect.objectContaining({ code: "LinkRefused" }));
    expect(() => signHello({ ...transcript, exporter: Buffer.alloc(0) }, machine)).toThrow();
  });
});
