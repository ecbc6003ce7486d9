import { z } from "zod";
import { type KeyPair, type PublicKey, thumbprint } from "../credentials/ed25519.ts";
import { bytes32Schema, seqSchema } from "../credentials/fields.ts";
import { type StatementKind, signStatement, verifyStatement } from "../credentials/statement.ts";
import { CmdopError } from "../errors/cmdop-error.ts";

const headSchema = z.strictObject({
  /** The id of the machine whose chain it is. */
  machine: bytes32Schema,
  /** The chain's id. */
  chain: z.uuid(),
  /** The seq of the last record; 0 for a chain without any. */
  seq: seqSchema,
  /** The hash of the last record as base64url; the chain's start where there is none. */
  hash: bytes32Schema,
  /** When it was signed, in milliseconds since 1970 by the machine's clock. */
  at: z.number().min(0),
  /** The asker's challenge, 32 bytes as base64url; absent from what a link brings. */
  nonce: bytes32Schema.optional(),
});

/** A machine's word on where its audit chain ends. */
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

/** Verifies a head: signed by the machine whose key this is, about that machine. @throws CmdopError AuditBroken */
export async function verifyHead(statement: string, machineKey: PublicKey): Promise<ChainHead> {
  const id = thumbprint(machineKey);
  const { claims } = await verifyStatement(HEAD, statement, (signer) =>
    signer === id ? machineKey : undefined,
  );
  if (claims.machine === id) return claims;
  throw new CmdopError("AuditBroken", "This head speaks of another machine than the one that signed it.");
}
