import { z } from "zod";
import { type KeyPair, type PublicKey, thumbprint } from "../credentials/ed25519.ts";
import { bytes32Schema, seqSchema } from "../credentials/fields.ts";
import { type StatementKind, signStatement, verifyStatement } from "../credentials/statement.ts";
import { CmdopError } from "../errors/cmdop-error.ts";

const headSchema = z.strictObject({
  /** Id of the machine that owns the chain. */
  machine: bytes32Schema,
  /** Id of the chain. */
  chain: z.uuid(),
  /** Seq of the last record; 0 if there is none. */
  seq: seqSchema,
  /** Hash of the last record as base64url; the hash of the chain's start if there is none. */
  hash: bytes32Schema,
  /** Time of signing, in milliseconds since 1970, by the machine's clock. */
  at: z.number().min(0),
  /** The asker's challenge, 32 bytes as base64url; absent in a head that comes over a link. */
  nonce: bytes32Schema.optional(),
});

/** A machine's signed statement about the end of its audit chain. */
export type ChainHead = z.infer<typeof headSchema>;

const HEAD: StatementKind<ChainHead> = {
  type: "cmdop-audit-head",
  claims: headSchema,
  refusal: "AuditBroken",
};

/** Signs a head with the machine's key. */
export function signHead(head: ChainHead, machine: KeyPair): Promise<string> {
  return signStatement(HEAD, head, machine);
}

/**
 * Verifies that a head is about the machine with this key, and signed by it.
 * @throws CmdopError AuditBroken
 */
export async function verifyHead(statement: string, machineKey: PublicKey): Promise<ChainHead> {
  const id = thumbprint(machineKey);
  const { claims } = await verifyStatement(HEAD, statement, (signer) =>
    signer === id ? machineKey : undefined,
  );
  if (claims.machine === id) return claims;
  throw new CmdopError("AuditBroken", "This head is about another machine than the one that signed it.");
}
