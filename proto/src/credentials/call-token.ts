import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { CALL_TOKEN_LIFETIME_S, CLOCK_TOLERANCE_S } from "../limits.ts";
import type { KeyId, KeyPair, PublicKey } from "./ed25519.ts";
import { relayIdSchema, secondsSchema } from "./fields.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

const callTokenSchema = z.strictObject({
  /** Id of the relay for which the token is valid. */
  aud: relayIdSchema,
  /**
   * The machine for which the token is valid, by id or name as the caller wrote it; null for the relay's own
   * services.
   */
  machine: z.string().min(1).max(63).nullable(),
  /** Time of signing, by the caller's clock. */
  iat: secondsSchema,
  /** Time of expiry, at most 60 s after signing. */
  exp: secondsSchema,
});

/** The credential that a caller shows instead of its key: valid for one relay, one machine and one minute. */
export type CallToken = z.infer<typeof callTokenSchema>;

const CALL_TOKEN: StatementKind<CallToken> = {
  type: "cmdop-call",
  claims: callTokenSchema,
  refusal: "Unauthenticated",
};

/** Signs a call token. `nowS`: seconds since 1970 by the caller's clock. */
export function signCallToken(
  audience: { relayId: string; machine: string | null },
  key: KeyPair,
  nowS: number,
): Promise<string> {
  const iat = Math.floor(nowS);
  const claims = { aud: audience.relayId, machine: audience.machine, iat, exp: iat + CALL_TOKEN_LIFETIME_S };
  return signStatement(CALL_TOKEN, claims, key);
}

/** Returns the id of the key that claims to have signed a token, unverified. */
export function callTokenKeyId(token: string): KeyId {
  return readUnverified(CALL_TOKEN, token).signer;
}

/**
 * Verifies a token's signature and claims with the key that its `kid` names. Its time is checked by
 * `checkCallTokenTime`.
 */
export async function verifyCallToken(
  token: string,
  keyOf: (signer: KeyId) => PublicKey | undefined,
): Promise<{ token: CallToken; keyId: KeyId }> {
  const { claims, signer } = await verifyStatement(CALL_TOKEN, token, keyOf);
  if (claims.exp - claims.iat > CALL_TOKEN_LIFETIME_S || claims.exp <= claims.iat) {
    throw new CmdopError(
      "Unauthenticated",
      `A call token lives ${CALL_TOKEN_LIFETIME_S} s; this one claims otherwise.`,
    );
  }
  return { token: claims, keyId: signer };
}

/** Throws if a token has ended or is not valid yet, with two minutes of tolerance for differing clocks. */
export function checkCallTokenTime(token: CallToken, nowS: number): void {
  const ended = nowS >= token.exp + CLOCK_TOLERANCE_S;
  if (!ended && nowS > token.iat - CLOCK_TOLERANCE_S) return;
  throw new CmdopError(
    "TokenExpired",
    `The call token ${ended ? "has ended" : "is from the future"}: the caller's clock said ${new Date(token.iat * 1000).toISOString()} when it signed, the clock here says ${new Date(nowS * 1000).toISOString()}.`,
  );
}

/**
 * Throws if a token is for another relay or machine. `machineNames`: the names of the target; empty for a
 * relay's own services.
 */
export function checkCallTokenAudience(
  token: CallToken,
  relayId: string,
  machineNames: readonly string[],
): void {
  if (token.aud !== relayId) {
    throw new CmdopError(
      "Unauthenticated",
      `The call token is for relay ${token.aud}, this is relay ${relayId}.`,
    );
  }
  const forThis = token.machine === null ? machineNames.length === 0 : machineNames.includes(token.machine);
  if (!forThis) {
    const meant =
      token.machine === null ? "the relay's own services" : `machine ${JSON.stringify(token.machine)}`;
    throw new CmdopError("Unauthenticated", `The call token is for ${meant}, but the call went elsewhere.`);
  }
}
