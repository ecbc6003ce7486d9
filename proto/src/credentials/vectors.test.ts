import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatApiKey, parseApiKey } from "./api-key.ts";
import { signCallToken, verifyCallToken } from "./call-token.ts";
import { keyPairOf, type PublicKey } from "./ed25519.ts";
import { signGrant, verifyGrant } from "./grant.ts";
import { openJoinToken, signJoinToken, verifyJoinToken } from "./join-token.ts";
import { signHello, verifyHello } from "./link-proof.ts";
import { signMachineRecord, verifyMachineRecord } from "./machine-record.ts";
import { ownerKey, signRoster, verifyRoster } from "./roster.ts";

const keyName = z.enum(["owner", "caller", "machine"]);
const hex = z.hex().transform((text) => Buffer.from(text, "hex"));
const vectors = z
  .object({
    keys: z.record(keyName, z.object({ seed: hex, publicKey: z.string(), id: z.string() })),
    apiKeys: z.array(
      z.object({ key: keyName, relay: z.object({ id: z.string(), address: z.string() }), text: z.string() }),
    ),
    statements: z.array(
      z.object({
        kind: z.enum(["grant", "roster", "machine-record", "join-token", "call-token"]),
        signer: keyName,
        claims: z.record(z.string(), z.unknown()),
        jws: z.string(),
      }),
    ),
    hello: z.object({
      signer: keyName,
      nonce: hex,
      exporter: hex,
      bootId: z.string(),
      lane: z.int(),
      signature: hex,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL("../../testdata/credentials.json", import.meta.url), "utf8")));

/** Functions that verify a statement and sign its claims again. */
const AGAIN = {
  grant: async (jws: string, signer: PublicKey, key: ReturnType<typeof keyPairOf>) => {
    const claims = await verifyGrant(jws, [signer]);
    return { claims, jws: await signGrant(claims, key) };
  },
  roster: async (jws: string, signer: PublicKey, key: ReturnType<typeof keyPairOf>) => {
    const claims = await verifyRoster(jws, [signer]);
    return { claims, jws: await signRoster(claims, key) };
  },
  "machine-record": async (jws: string, signer: PublicKey, key: ReturnType<typeof keyPairOf>) => {
    const claims = await verifyMachineRecord(jws, [signer]);
    return { claims, jws: await signMachineRecord(claims, key) };
  },
  "join-token": async (jws: string, signer: PublicKey, key: ReturnType<typeof keyPairOf>) => {
    const claims = await verifyJoinToken(jws, [signer]);
    expect(await openJoinToken(jws)).toEqual(claims);
    return { claims, jws: await signJoinToken(claims, key) };
  },
  "call-token": async (jws: string, signer: PublicKey, key: ReturnType<typeof keyPairOf>) => {
    const { token: claims } = await verifyCallToken(jws, ownerKey([signer]));
    const audience = { relayId: claims.aud, machine: claims.machine };
    return { claims, jws: await signCallToken(audience, key, claims.iat) };
  },
};

describe("test vectors (proto/testdata/credentials.json)", () => {
  it.each(Object.entries(vectors.keys))(
    "key %s: seed → public key → id",
    (_name, { seed, publicKey, id }) => {
      expect(keyPairOf(seed)).toMatchObject({ publicKey, id });
    },
  );

  it.each(vectors.apiKeys)("API key of $relay.id: format and parse", ({ key, relay, text }) => {
    const pair = keyPairOf(vectors.keys[key].seed);
    expect(formatApiKey({ key: pair, relay })).toBe(text);
    expect(parseApiKey(text)).toMatchObject({ relay, key: { id: pair.id, publicKey: pair.publicKey } });
    expect(parseApiKey(` ${text}\n`).relay).toEqual(relay);
  });

  it.each(vectors.statements)(
    "$kind: verifies, and is signed the same",
    async ({ kind, signer, claims, jws }) => {
      const key = keyPairOf(vectors.keys[signer].seed);
      const again = await AGAIN[kind](jws, key.publicKey, key);
      expect(again.claims).toEqual(claims);
      expect(again.jws).toBe(jws);
    },
  );

  it.each(vectors.statements)("$kind: plain node:crypto agrees", ({ signer, claims, jws }) => {
    const [header = "", payload = "", signature = ""] = jws.split(".");
    const { publicKey, id } = vectors.keys[signer];
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
    expect(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url"))).toBe(
      true,
    );
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toEqual(claims);
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({ alg: "EdDSA", kid: id });
  });

  it("link hello", () => {
    const { signer, signature, ...transcript } = vectors.hello;
    const machine = keyPairOf(vectors.keys[signer].seed);
    expect(Buffer.from(signHello(transcript, machine))).toEqual(signature);
    expect(verifyHello(transcript, signature, machine.publicKey)).toBe(true);
  });
});
