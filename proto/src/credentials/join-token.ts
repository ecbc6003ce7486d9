import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { type KeyPair, type PublicKey, thumbprint } from "./ed25519.ts";
import {
  addressSchema,
  bytes32Schema,
  labelsSchema,
  nameSchema,
  relayIdSchema,
  secondsSchema,
} from "./fields.ts";
import { ownerKey } from "./roster.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

const joinTokenSchema = z.strictObject({
  /** Names this token, so that a relay can consume it once. */
  jti: z.uuid(),
  /** The signing owner's public key: what the joining machine will trust. */
  owner: bytes32Schema,
  /** Where to join. */
  relay: z.strictObject({ id: relayIdSchema, address: addressSchema }),
  /** What the machine will be called. */
  name: nameSchema,
  /** How it is grouped. */
  labels: labelsSchema,
  /** Machines that may join with it; 1 unless asked otherwise. */
  uses: z.int().min(1).max(10_000),
  /** When it was signed. */
  iat: secondsSchema,
  /** When it ends. */
  exp: secondsSchema,
});

/** The owner's invitation of a machine: where to dial, whom to trust, what it will be called. */
export type JoinToken = z.infer<typeof joinTokenSchema>;

const JOIN_TOKEN: StatementKind<JoinToken> = {
  type: "cmdop-join",
  claims: joinTokenSchema,
  refusal: "LinkRefused",
};

/** Signs a join token; `owner` in it is the signer's key. */
export function signJoinToken(token: JoinToken, owner: KeyPair): Promise<string> {
  return signStatement(JOIN_TOKEN, token, owner);
}

/** Verifies, at the relay, a join token against the owners of the roster. Its expiry is checked by `checkJoinTokenTime`. */
export async function verifyJoinToken(statement: string, owners: readonly PublicKey[]): Promise<JoinToken> {
  return (await verifyStatement(JOIN_TOKEN, statement, ownerKey(owners))).claims;
}

/**
 * Verifies, on the joining machine, a join token against the owner that it
 * names itself. The operator who pasted it is what makes that owner trusted.
 */
export async function openJoinToken(statement: string): Promise<JoinToken> {
  const { claims, signer } = readUnverified(JOIN_TOKEN, statement);
  if (thumbprint(claims.owner) !== signer) {
    throw new CmdopError("LinkRefused", "This join token names one owner and is signed by another.");
  }
  return verifyJoinToken(statement, [claims.owner]);
}

/** Refuses a join token that has ended. `nowS`: seconds since 1970. */
export function checkJoinTokenTime(token: JoinToken, nowS: number): void {
  if (nowS >= token.exp) {
    throw new CmdopError(
      "LinkRefused",
      `This join token ended at ${new Date(token.exp * 1000).toISOString()}; the clock here says ${new Date(nowS * 1000).toISOString()}.`,
    );
  }
}
