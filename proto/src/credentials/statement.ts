import { CompactSign, compactVerify, errors } from "jose";
import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import type { ErrorCode } from "../errors/table.ts";
import { MAX_STATEMENT_BYTES } from "../limits.ts";
import { parseStrictJson } from "../strict-json.ts";
import { type KeyId, type KeyPair, type PublicKey, publicKeyObject } from "./ed25519.ts";

/**
 * The header of a statement. A statement is a compact EdDSA JWS whose protected header is exactly `{alg:
 * "EdDSA", typ, kid}`: `typ` is the kind of the statement, so that one kind can never pass for another, and
 * `kid` is the signer's thumbprint.
 */
const headerSchema = z.strictObject({ alg: z.literal("EdDSA"), typ: z.string(), kid: z.string().length(43) });

/** A kind of statement: its `typ`, its claims, and the error for an invalid one. */
export interface StatementKind<Claims> {
  readonly type: string;
  readonly claims: z.ZodType<Claims>;
  readonly refusal: ErrorCode;
  /** Longest statement of this kind, in bytes. Default: MAX_STATEMENT_BYTES. */
  readonly maxBytes?: number;
}

/** Signs claims. They are validated first, so that nobody can sign a statement that would be refused. */
export async function signStatement<Claims>(
  kind: StatementKind<Claims>,
  claims: Claims,
  signer: KeyPair,
): Promise<string> {
  const checked = kind.claims.safeParse(claims);
  if (!checked.success) {
    throw new CmdopError(
      "InvalidArgument",
      `The claims of this ${kind.type} are not valid: ${z.prettifyError(checked.error)}`,
    );
  }
  const statement = await new CompactSign(Buffer.from(JSON.stringify(checked.data)))
    .setProtectedHeader({ alg: "EdDSA", typ: kind.type, kid: signer.id })
    .sign(signer.privateKey);
  const maxBytes = kind.maxBytes ?? MAX_STATEMENT_BYTES;
  if (statement.length > maxBytes) {
    throw new CmdopError(
      "InvalidArgument",
      `This ${kind.type} would be ${statement.length} bytes long; ${maxBytes} is the limit everywhere.`,
      { next: "Put less into one statement: fewer names, labels or paths." },
    );
  }
  return statement;
}

/**
 * Verifies a statement: its form, its kind, that `keyOf` knows the signer, the signature, and the claims.
 * Throws the kind's refusal otherwise. Times are not checked here, but by each kind's own verifier.
 */
export async function verifyStatement<Claims>(
  kind: StatementKind<Claims>,
  statement: string,
  keyOf: (signer: KeyId) => PublicKey | undefined,
): Promise<{ claims: Claims; signer: KeyId }> {
  const header = peekHeader(kind, statement);
  const key = keyOf(header.kid);
  if (key === undefined) throw refused(kind, "its signer is not known here");
  try {
    const { payload } = await compactVerify(statement, publicKeyObject(key), { algorithms: ["EdDSA"] });
    return { claims: claimsOf(kind, payload), signer: header.kid };
  } catch (thrown) {
    if (thrown instanceof errors.JOSEError) throw refused(kind, "its signature does not verify", thrown);
    throw thrown;
  }
}

/** Reads a statement without verifying its signature, for a holder that wants to show or address it. */
export function readUnverified<Claims>(
  kind: StatementKind<Claims>,
  statement: string,
): { claims: Claims; signer: KeyId } {
  const header = peekHeader(kind, statement);
  return {
    claims: claimsOf(kind, Buffer.from(statement.split(".")[1] ?? "", "base64url")),
    signer: header.kid,
  };
}

/** Returns the id of the key that claims to have signed a statement of any kind, unverified. */
export function statementSigner(statement: string): KeyId | undefined {
  if (!isCanonical(statement)) return undefined;
  try {
    return headerSchema.safeParse(decodedHeader(statement)).data?.kid;
  } catch (thrown) {
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

/**
 * Returns the encoded claims of a statement of any kind. Statements with equal claims say the same, whoever
 * signed them.
 */
export function statementText(statement: string): string {
  return statement.split(".")[1] ?? "";
}

function peekHeader<Claims>(kind: StatementKind<Claims>, statement: string): z.infer<typeof headerSchema> {
  const maxBytes = kind.maxBytes ?? MAX_STATEMENT_BYTES;
  if (statement.length > maxBytes) throw refused(kind, `it is longer than ${maxBytes} bytes`);
  if (!isCanonical(statement)) throw refused(kind, "it is not a compact JWS");
  let decoded: unknown;
  try {
    decoded = decodedHeader(statement);
  } catch (thrown) {
    throw refused(kind, "its header is not JSON in which each key stands once", thrown);
  }
  const header = headerSchema.safeParse(decoded);
  if (!header.success) throw refused(kind, "its header is not {alg: EdDSA, typ, kid}");
  if (header.data.typ !== kind.type) throw refused(kind, `it is a ${JSON.stringify(header.data.typ)}`);
  return header.data;
}

/**
 * Checks that a statement is encoded canonically. Decoders tolerate spaces and stray bits; with a single
 * valid encoding, caches can compare strings.
 */
function isCanonical(statement: string): boolean {
  const parts = statement.split(".");
  return (
    parts.length === 3 && parts.every((part) => Buffer.from(part, "base64url").toString("base64url") === part)
  );
}

function decodedHeader(statement: string): unknown {
  return decodedJson(Buffer.from(statement.split(".")[0] ?? "", "base64url"));
}

/** Decodes JSON. Throws if it is not UTF-8, not JSON, or has an object with a duplicate key. */
function decodedJson(bytes: Uint8Array): unknown {
  return parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
}

function claimsOf<Claims>(kind: StatementKind<Claims>, payload: Uint8Array): Claims {
  let json: unknown;
  try {
    json = decodedJson(payload);
  } catch (thrown) {
    throw refused(kind, "its claims are not JSON in which each key stands once", thrown);
  }
  const claims = kind.claims.safeParse(json);
  if (!claims.success) throw refused(kind, z.prettifyError(claims.error));
  return claims.data;
}

function refused<Claims>(kind: StatementKind<Claims>, why: string, cause?: unknown): CmdopError {
  return new CmdopError(kind.refusal, `This is not a valid ${kind.type}: ${why}.`, { cause });
}
