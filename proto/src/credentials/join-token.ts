import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { type KeyPair, type PublicKey, thumbprint } from "./ed25519.ts";
import { addressSchema, bytes32Schema, labelsSchema, relayIdSchema, secondsSchema } from "./fields.ts";
import { namePatternSchema } from "./name-pattern.ts";
import { ownerKey } from "./roster.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

const joinTokenSchema = z.strictObject({
  /** Id of this token, by which a relay consumes it once. */
  jti: z.uuid(),
  /** Public key of the signing owner, whom the joining machine will trust. */
  owner: bytes32Schema,
  /** The relay to join. */
  relay: z.strictObject({ id: relayIdSchema, address: addressSchema }),
  /** The machine's future name; `*` in it stands for its host name. */
  name: namePatternSchema,
  /** The machine's labels. */
  labels: labelsSchema,
  /** Number of machines that may join with it. */
  uses: z.int().min(1).max(10_000),
  /** Time of signing. */
  iat: secondsSchema,
  /** Time of expiry. */
  exp: secondsSchema,
});

/** The owner's invitation of a machine: the relay to dial, the owner to trust, and the machine's name. */
export type JoinToken = z.infer<typeof joinTokenSchema>;

const JOIN_TOKEN: StatementKind<JoinToken> = {
  type: "cmdop-join",
  claims: joinTokenSchema,
  refusal: "LinkRefused",
};

/** Signs a join token; its `owner` must be the signer's key. */
export function signJoinToken(token: JoinToken, owner: KeyPair): Promise<string> {
  return signStatement(JOIN_TOKEN, token, owner);
}

/**
 * Verifies a join token at the relay, against the owners of the roster. Its expiry is checked by
 * `checkJoinTokenTime`.
 */
export async function verifyJoinToken(statement: string, owners: readonly PublicKey[]): Promise<JoinToken> {
  return (await verifyStatement(JOIN_TOKEN, statement, ownerKey(owners))).claims;
}

/**
 * Verifies a join token on the joining machine, against the owner that it names itself. That owner is trusted
 * because the operator pasted the token.
 */
export async function openJoinToken(statement: string): Promise<JoinToken> {
  const { claims, signer } = readUnverified(JOIN_TOKEN, statement);
  if (thumbprint(claims.owner) !== signer) {
    throw new CmdopError("LinkRefused", "This join token names one owner and is signed by another.");
  }
  return verifyJoinToken(statement, [claims.owner]);
}

/** Throws if a join token has ended. `nowS`: seconds since 1970. */
export function checkJoinTokenTime(token: JoinToken, nowS: number): void {
  if (nowS >= token.exp) {
    throw new CmdopError(
      "LinkRefused",
      `This join token ended at ${new Date(token.exp * 1000).toISOString()}; the clock here says ${new Date(nowS * 1000).toISOString()}.`,
    );
  }
}
