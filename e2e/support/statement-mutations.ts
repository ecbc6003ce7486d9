import { createHmac, sign } from "node:crypto";
import type { KeyPair } from "@cmdop/proto";
import fc from "fast-check";

/** A statement that somebody has tampered with, and who has signed the result, if anybody. */
export interface Mutation {
  readonly name: string;
  readonly statement: string;
}

/** The three parts of a compact JWS. */
interface Parts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64url");
const textOf = (part: string): string => Buffer.from(part, "base64url").toString();
const split = (statement: string): Parts => {
  const [header = "", payload = "", signature = ""] = statement.split(".");
  return { header, payload, signature };
};
const joined = ({ header, payload, signature }: Parts): string => `${header}.${payload}.${signature}`;

/** What stands where another value should. */
const anyJson = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1e308, "", "*", "/", [], {}, [null], "9999999999", {
    name: "*",
  }),
  fc.jsonValue({ maxDepth: 2 }),
);
const objectOf = (json: string): Record<string, unknown> => {
  const parsed: unknown = JSON.parse(json);
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
};

/** Another text of the same or nearly the same object. */
const otherJson = (json: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .shuffledSubarray(Object.entries(objectOf(json)), { minLength: 0 })
      .map((entries) => JSON.stringify(Object.fromEntries(entries))),
    fc.constantFrom(` ${json}`, `${json}\n`, JSON.stringify(JSON.parse(json), null, 1), `\ufeff${json}`),
    fc
      .tuple(fc.constantFrom(...Object.keys(objectOf(json)), "__proto__", "nbf", "crit", "admin"), anyJson)
      .map(([name, value]) => JSON.stringify({ ...objectOf(json), [name]: value })),
    fc
      .tuple(fc.constantFrom(...Object.keys(objectOf(json))), anyJson)
      // The same name twice: parsers differ in which one they take.
      .map(([name, value]) => `${json.slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`),
  );

/** Headers that a careless verifier would take. */
const otherHeader = (header: string, keys: readonly KeyPair[]): fc.Arbitrary<string> =>
  fc.oneof(
    otherJson(header),
    fc
      .record(
        {
          alg: fc.constantFrom("none", "None", "HS256", "ES256", "RS256", "Ed25519", "eddsa", "EdDSA", ""),
          typ: fc.constantFrom(
            "cmdop-call",
            "cmdop-grant",
            "cmdop-roster",
            "cmdop-machine",
            "cmdop-join",
            "JWT",
            "",
          ),
          kid: fc.constantFrom(...keys.map(({ id }) => id), "", "x".repeat(43)),
          jwk: fc.constantFrom(...keys.map(({ publicKey: x }) => ({ kty: "OKP", crv: "Ed25519", x }))),
          b64: fc.boolean(),
          crit: fc.constantFrom(["b64"], ["exp"], []),
          zip: fc.constant("DEF"),
        },
        { requiredKeys: [] },
      )
      .map((fields) => JSON.stringify({ ...objectOf(header), ...fields })),
  );

/** One character of a text replaced, removed, doubled or added. */
const typo = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(Math.max(0, text.length - 1)), fc.nat(3), fc.constantFrom(..."AZaz09-_=+/. \n\t%~é"))
    .map(([at, how, character]) => {
      const inserted = how === 0 || how === 3 ? character : how === 2 ? text.charAt(at).repeat(2) : "";
      return text.slice(0, at) + inserted + text.slice(how === 3 ? at : at + 1);
    });

/** One bit of a part flipped. */
const bitFlip = (part: string): fc.Arbitrary<string> => {
  const bytes = Buffer.from(part, "base64url");
  return fc.nat(bytes.length * 8 - 1).map((bit) => {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return flipped.toString("base64url");
  });
};

const replaced = (parts: Parts, name: keyof Parts, by: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  by.map((part) => joined({ ...parts, [name]: part }));

/**
 * What an attacker makes of a statement who has seen it, has others, and has
 * keys of its own (`stranger`), but not the signer's. `others` are valid
 * statements of any kind.
 */
export function forgeries(
  statement: string,
  others: readonly string[],
  signer: KeyPair,
  stranger: KeyPair,
): fc.Arbitrary<Mutation> {
  const parts = split(statement);
  const header = textOf(parts.header);
  const payload = textOf(parts.payload);
  const signedBy = ({ privateKey }: KeyPair, head: string, body: string): string => {
    const input = `${base64(head)}.${base64(body)}`;
    return `${input}.${base64(sign(null, Buffer.from(input), privateKey))}`;
  };
  /** HS256 with the public key as its secret: what a verifier does that lets the token choose the algorithm. */
  const hmac = (head: string, body: string): string => {
    const input = `${base64(head)}.${base64(body)}`;
    const secret = Buffer.from(signer.publicKey, "base64url");
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const named = (name: string, statements: fc.Arbitrary<string>): fc.Arbitrary<Mutation> =>
    statements.map((each) => ({ name, statement: each }));
  const spliced = fc.constantFrom(statement, ...others).map(split);
  return fc.oneof(
    named("typo", typo(statement)),
    named("bit flip in the header", replaced(parts, "header", bitFlip(parts.header))),
    named("bit flip in the claims", replaced(parts, "payload", bitFlip(parts.payload))),
    named("bit flip in the signature", replaced(parts, "signature", bitFlip(parts.signature))),
    named("another header", replaced(parts, "header", otherHeader(header, [signer, stranger]).map(base64))),
    named("other claims", replaced(parts, "payload", otherJson(payload).map(base64))),
    named(
      "no signature",
      fc.constantFrom("", "AA", base64(Buffer.alloc(64))).map((signature) => joined({ ...parts, signature })),
    ),
    named(
      "alg none",
      otherJson(payload).map(
        (body) => `${base64(JSON.stringify({ ...objectOf(header), alg: "none" }))}.${base64(body)}.`,
      ),
    ),
    named(
      "HS256 with the public key",
      otherJson(payload).map((body) => hmac(JSON.stringify({ ...objectOf(header), alg: "HS256" }), body)),
    ),
    named(
      "signed by a stranger, in the signer's name and in its own",
      fc
        .tuple(
          fc.constantFrom(header, JSON.stringify({ ...objectOf(header), kid: stranger.id })),
          otherJson(payload),
        )
        .map(([head, body]) => signedBy(stranger, head, body)),
    ),
    named(
      "parts of several",
      fc
        .tuple(spliced, spliced, spliced)
        .map(([a, b, c]) => joined({ header: a.header, payload: b.payload, signature: c.signature })),
    ),
    named(
      "more or fewer parts, spaces and padding",
      fc
        .tuple(fc.constantFrom("", ".", "..", "=", "==", " ", "\n", ".AA", "\0", ","), fc.boolean())
        .map(([text, before]) => (before ? text + statement : statement + text)),
    ),
    named(
      "the other base64 alphabet",
      fc.constant(statement.replaceAll("-", "+").replaceAll("_", "/").concat("=")),
    ),
    named(
      "cut off",
      fc.nat(statement.length - 1).map((length) => statement.slice(0, length)),
    ),
    named(
      "huge",
      fc.integer({ min: 1_000, max: 200_000 }).map((length) => `${statement}${"A".repeat(length)}`),
    ),
    named("another kind's", fc.constantFrom(...others)),
    named("anything", fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 500 }))),
  );
}

/** Statements that the signer itself has put its name to, but that say what no statement of its kind may. */
export function misspoken(statement: string, signer: KeyPair): fc.Arbitrary<Mutation> {
  const { header, payload } = split(statement);
  return fc
    .tuple(
      fc.oneof(fc.constant(textOf(header)), otherHeader(textOf(header), [signer])),
      fc.oneof(fc.constant(textOf(payload)), otherJson(textOf(payload))),
    )
    .map(([head, body]) => {
      const input = `${base64(head)}.${base64(body)}`;
      return {
        name: "signed, but another header or other claims",
        statement: `${input}.${base64(sign(null, Buffer.from(input), signer.privateKey))}`,
      };
    });
}
