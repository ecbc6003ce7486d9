import { createHmac, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import type { ErrorCode } from "../errors/table.ts";
import { MAX_ROSTER_BYTES, MAX_STATEMENT_BYTES } from "../limits.ts";
import { callTokenKeyId, signCallToken, verifyCallToken } from "./call-token.ts";
import { generateKeyPair, type KeyPair } from "./ed25519.ts";
import { type Grant, signGrant, verifyGrant } from "./grant.ts";
import { type JoinToken, openJoinToken, signJoinToken, verifyJoinToken } from "./join-token.ts";
import { signMachineRecord, verifyMachineRecord } from "./machine-record.ts";
import { ownerKey, type Roster, signRoster, verifyRoster } from "./roster.ts";

const NOW_S = 1_795_305_600;
const owner = generateKeyPair();
const stranger = generateKeyPair();
const machine = generateKeyPair();
const relay = { id: generateKeyPair().id, address: "127.0.0.1:7443" };

const grant: Grant = {
  key: machine.publicKey,
  name: "bot",
  scopes: ["terminal"],
  machines: [{ name: "*" }],
  iat: NOW_S,
  not_after: NOW_S + 60,
};
const roster: Roster = {
  seq: 1,
  iat: NOW_S,
  owners: [owner.publicKey],
  relays: [{ id: relay.id, addresses: [relay.address] }],
  revoked: [],
};
const joinToken: JoinToken = {
  jti: crypto.randomUUID(),
  owner: owner.publicKey,
  relay,
  name: "web-1",
  labels: {},
  uses: 1,
  iat: NOW_S,
  exp: NOW_S + 60,
};

/**
 * Every kind of statement, valid and signed by `owner`, with its verifier and the error that it refuses with.
 */
const KINDS = {
  "cmdop-grant": {
    refusal: "GrantRefused",
    signed: signGrant(grant, owner),
    verify: (jws: string): Promise<unknown> => verifyGrant(jws, [owner.publicKey]),
  },
  "cmdop-roster": {
    refusal: "GrantRefused",
    signed: signRoster(roster, owner),
    verify: (jws: string): Promise<unknown> => verifyRoster(jws, [owner.publicKey]),
  },
  "cmdop-machine": {
    refusal: "LinkRefused",
    signed: signMachineRecord({ id: machine.id, name: "web-1", labels: { team: "a" }, seq: 1 }, owner),
    verify: (jws: string): Promise<unknown> => verifyMachineRecord(jws, [owner.publicKey]),
  },
  "cmdop-join": {
    refusal: "LinkRefused",
    signed: signJoinToken(joinToken, owner),
    verify: (jws: string): Promise<unknown> => verifyJoinToken(jws, [owner.publicKey]),
  },
  "cmdop-call": {
    refusal: "Unauthenticated",
    signed: signCallToken({ relayId: relay.id, machine: "web-1" }, owner, NOW_S),
    verify: (jws: string): Promise<unknown> => verifyCallToken(jws, ownerKey([owner.publicKey])),
  },
} as const satisfies Record<
  string,
  { refusal: ErrorCode; signed: Promise<string>; verify: (jws: string) => Promise<unknown> }
>;

const kinds = Object.entries(KINDS).map(([type, kind]) => ({ type, ...kind }));

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? "", "base64url").toString());

/**
 * Returns JSON texts in which one key is doubled with the same value: each key of each object in turn, also
 * in another spelling.
 */
function withDoubledKeys(text: string): string[] {
  return [...text.matchAll(/"(\w)(\w*)":("[^"]*"|[\w.]+|\[\]|\{\}|null)/g)].flatMap((found) => {
    const [pair, first = "", rest = "", value = ""] = found;
    const escaped = `"\\u${first.charCodeAt(0).toString(16).padStart(4, "0")}${rest}":${value}`;
    return [pair, escaped].map((again) => `${text.slice(0, found.index)}${again},${text.slice(found.index)}`);
  });
}

/** Makes a correctly signed JWS with any header and claims. */
function forge(header: unknown, claims: unknown, signer: KeyPair): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), signer.privateKey).toString("base64url")}`;
}

describe.each(kinds)("$type", ({ type, refusal, signed, verify }) => {
  const header = { alg: "EdDSA", typ: type, kid: owner.id };
  const claims = async () => decode((await signed).split(".")[1]);
  const refused = (jws: string) => expect(verify(jws)).rejects.toMatchObject({ code: refusal });

  it("holds when it is what the owner signed", async () => {
    await expect(verify(await signed)).resolves.toBeDefined();
    await expect(verify(forge(header, await claims(), owner))).resolves.toBeDefined();
  });

  it.each([
    ["another typ", { ...header, typ: "cmdop-other" }],
    ["no typ", { alg: "EdDSA", kid: owner.id }],
    ["alg none", { ...header, alg: "none" }],
    ["alg Ed25519", { ...header, alg: "Ed25519" }],
    ["an extra header", { ...header, cty: "json" }],
    ["a jwk of its own", { ...header, jwk: { kty: "OKP", crv: "Ed25519", x: stranger.publicKey } }],
    ["crit", { ...header, crit: ["exp"], exp: 1 }],
    ["b64 false", { ...header, crit: ["b64"], b64: false }],
    ["no kid", { alg: "EdDSA", typ: type }],
    ["a kid that is no id", { ...header, kid: "owner" }],
  ])("is refused with %s, though the owner signed it", async (_title, forgedHeader) => {
    await refused(forge(forgedHeader, await claims(), owner));
  });

  it("is refused unsigned: alg none with an empty signature", async () => {
    await refused(`${encode({ ...header, alg: "none" })}.${encode(await claims())}.`);
  });

  it("is refused with HS256 keyed by the owner's public key", async () => {
    const input = `${encode({ ...header, alg: "HS256" })}.${encode(await claims())}`;
    for (const secret of [Buffer.from(owner.publicKey, "base64url"), owner.publicKey]) {
      await refused(`${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`);
    }
  });

  it("is refused when somebody else signed it, under either name", async () => {
    await refused(forge({ ...header, kid: stranger.id }, await claims(), stranger));
    await refused(forge(header, await claims(), stranger));
  });

  it("is refused with its claims reordered under the old signature", async () => {
    const [head, , signature] = (await signed).split(".");
    const reordered = Object.fromEntries(Object.entries(await claims()).reverse());
    await refused(`${head}.${encode(reordered)}.${signature}`);
  });

  it("is refused with one claim too many or too few, though the owner signed it", async () => {
    const all = await claims();
    await refused(forge(header, { ...all, admin: true }, owner));
    for (const left of Object.keys(all)) {
      await refused(
        forge(header, Object.fromEntries(Object.entries(all).filter(([name]) => name !== left)), owner),
      );
    }
  });

  it("is refused with claims that are no object, no JSON, no UTF-8, or begin with a mark", async () => {
    const head = encode(header);
    const marked = `\ufeff${Buffer.from((await signed).split(".")[1] ?? "", "base64url")}`;
    for (const payload of ["[]", "null", '"x"', "{", "", marked]) {
      const input = `${head}.${Buffer.from(payload).toString("base64url")}`;
      await refused(`${input}.${sign(null, Buffer.from(input), owner.privateKey).toString("base64url")}`);
    }
    const input = `${head}.${Buffer.of(0x7b, 0xff, 0x7d).toString("base64url")}`;
    await refused(`${input}.${sign(null, Buffer.from(input), owner.privateKey).toString("base64url")}`);
  });

  it("is refused with a key twice, in its header or anywhere in its claims, though the owner signed it", async () => {
    const headText = JSON.stringify(header);
    const claimsText = Buffer.from((await signed).split(".")[1] ?? "", "base64url").toString();
    const spoken = (head: string, body: string): string => {
      const input = [head, body].map((text) => Buffer.from(text).toString("base64url")).join(".");
      return `${input}.${sign(null, Buffer.from(input), owner.privateKey).toString("base64url")}`;
    };
    await expect(verify(spoken(headText, claimsText))).resolves.toBeDefined();
    for (const doubled of withDoubledKeys(headText)) await refused(spoken(doubled, claimsText));
    const doubledClaims = withDoubledKeys(claimsText);
    expect(doubledClaims.length).toBeGreaterThan(2);
    for (const doubled of doubledClaims) await refused(spoken(headText, doubled));
  });

  it("is refused in another spelling of the same bytes", async () => {
    const jws = await signed;
    const last = jws.charAt(jws.length - 1);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The last character carries two bits of the signature and four that decoders ignore.
    const stray = alphabet.charAt(alphabet.indexOf(last) + 1);
    await refused(jws.slice(0, -1) + stray);
    await refused(`${jws}==`);
    await refused(` ${jws}`);
    await refused(jws.replace(".", ". "));
  });

  it("is refused when another kind is shown in its place", async () => {
    for (const other of kinds) if (other.type !== type) await refused(await other.signed);
  });

  it("is refused over its size limit before anything is decoded", async () => {
    const maxBytes = type === "cmdop-roster" ? MAX_ROSTER_BYTES : MAX_STATEMENT_BYTES;
    await expect(verify(`${await signed}${"A".repeat(maxBytes)}`)).rejects.toThrow(`longer than ${maxBytes}`);
  });

  it("mutated in any way is refused with its own error (fuzz)", async () => {
    const jws = await signed;
    const edit = fc.record({
      at: fc.nat(jws.length - 1),
      remove: fc.nat(3),
      insert: fc.oneof(fc.string({ maxLength: 3 }), fc.base64String({ maxLength: 4 }), fc.constant(".")),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let mutated = jws;
        for (const { at, remove, insert } of edits) {
          mutated = mutated.slice(0, at) + insert + mutated.slice(at + remove);
        }
        fc.pre(mutated !== jws);
        await refused(mutated);
      }),
      { numRuns: 300 },
    );
  });

  it("anything at all is refused with its own error (fuzz)", async () => {
    const anyHeader = fc.record({
      alg: fc.constantFrom("EdDSA", "none", 1),
      typ: fc.constant(type),
      kid: fc.anything(),
    });
    const anything = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc
        .tuple(fc.json(), fc.json(), fc.base64String())
        .map((parts) => parts.map((part) => encode(part)).join(".")),
      fc.tuple(anyHeader, fc.json()).map(([head, body]) => forge(head, body, owner)),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        await refused(text);
      }),
      { numRuns: 300 },
    );
  });
});

describe("signing", () => {
  it("says no to claims that nobody would accept", async () => {
    const wrong: Grant = { ...grant, name: "" };
    await expect(signGrant(wrong, owner)).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(signGrant({ ...grant, paths: ["/srv"] }, owner)).rejects.toThrow(/terminal/);
    await expect(signGrant({ ...grant, scopes: ["files:read"], paths: ["srv"] }, owner)).rejects.toThrow(
      CmdopError,
    );
  });

  it("says no to a statement that every verifier would find too long", async () => {
    const machines = Array.from({ length: 1_000 }, () => ({ id: machine.id }));
    await expect(signGrant({ ...grant, machines }, owner)).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("nobody reads a path with a damaged byte as another path", async () => {
    const pathGrant: Grant = { ...grant, scopes: ["files:read"], paths: ["/srv/X"] };
    const [header = "", payload = ""] = (await signGrant(pathGrant, owner)).split(".");
    const bytes = Buffer.from(payload, "base64url");
    bytes[bytes.indexOf("/srv/X") + 5] = 0xff;
    const input = `${header}.${bytes.toString("base64url")}`;
    const jws = `${input}.${sign(null, Buffer.from(input), owner.privateKey).toString("base64url")}`;
    await expect(verifyGrant(jws, [owner.publicKey])).rejects.toMatchObject({ code: "GrantRefused" });
  });

  it("a roster that revokes one of its owners is none: nobody could take that back", async () => {
    const claims = { ...roster, owners: [owner.publicKey, stranger.publicKey], revoked: [stranger.id] };
    await expect(signRoster(claims, owner)).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("a roster at all of its limits still verifies", async () => {
    const longest = `${"a".repeat(254)}:65535`;
    const full: Roster = {
      ...roster,
      owners: Array.from({ length: 16 }, () => owner.publicKey),
      relays: Array.from({ length: 64 }, () => ({
        id: relay.id,
        addresses: Array.from({ length: 16 }, () => longest),
      })),
      revoked: Array.from({ length: 10_000 }, () => stranger.id),
    };
    await expect(verifyRoster(await signRoster(full, owner), [owner.publicKey])).resolves.toEqual(full);
  });
});

describe("reading before verifying", () => {
  it("a call token names its key, and nothing but a call token does", async () => {
    expect(callTokenKeyId(await KINDS["cmdop-call"].signed)).toBe(owner.id);
    const other = await KINDS["cmdop-grant"].signed;
    expect(() => callTokenKeyId(other)).toThrow(CmdopError);
  });

  it("a join token must be signed by the owner that it names", async () => {
    await expect(openJoinToken(await signJoinToken(joinToken, stranger))).rejects.toMatchObject({
      code: "LinkRefused",
      message: expect.stringContaining("signed by another"),
    });
    await expect(openJoinToken(await signJoinToken(joinToken, owner))).resolves.toEqual(joinToken);
  });
});
