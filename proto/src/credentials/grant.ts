import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { MAX_PATH_BYTES } from "../limits.ts";
import { SCOPES } from "../methods.ts";
import type { KeyId, KeyPair, PublicKey } from "./ed25519.ts";
import { bytes32Schema, nameSchema, secondsSchema } from "./fields.ts";
import { ownerKey } from "./roster.ts";
import { machineSelectorSchema } from "./selectors.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

/** Most paths in a grant. */
const MAX_GRANT_PATHS = 64;

const grantSchema = z
  .strictObject({
    /** Public half of the key. */
    key: bytes32Schema,
    /** The name that the owner gave the key. */
    name: nameSchema,
    /** Scopes of the key. */
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
    /** Machines on which the key is valid. */
    machines: z.array(machineSelectorSchema).min(1).max(1_000),
    /**
     * Directories, with everything below them, to which its files scopes are limited. Absent means
     * everywhere.
     */
    paths: z
      .array(
        z
          .string()
          .max(MAX_PATH_BYTES)
          .regex(/^(?:\/|~)/),
      )
      .min(1)
      .max(MAX_GRANT_PATHS)
      .optional(),
    /** Fate of the key's jobs when the key ends or is revoked. Default: `end`. */
    jobs: z.enum(["end", "live"]).optional(),
    /** Time of signing. */
    iat: secondsSchema,
    /** Time of expiry, without tolerance. */
    not_after: secondsSchema,
  })
  .refine((grant) => grant.paths === undefined || !grant.scopes.includes("terminal"), {
    message: "terminal is the full authority of the user that jobs run as, so it can't be bound to paths",
    path: ["paths"],
  });

/** The rights of a key, signed by an owner. A grant is never changed in place. */
export type Grant = z.infer<typeof grantSchema>;

const GRANT: StatementKind<Grant> = { type: "cmdop-grant", claims: grantSchema, refusal: "GrantRefused" };

/** Default life of a grant: 90 days, in seconds. */
export const DEFAULT_GRANT_LIFETIME_S = 90 * 24 * 60 * 60;

/** Signs a grant. */
export function signGrant(grant: Grant, owner: KeyPair): Promise<string> {
  return signStatement(GRANT, grant, owner);
}

/**
 * Verifies a grant against the owners of the roster. Its expiry is checked by `checkGrantTime`, at each call.
 */
export async function verifyGrant(statement: string, owners: readonly PublicKey[]): Promise<Grant> {
  return (await verifySignedGrant(statement, owners)).grant;
}

/** Verifies a grant, and returns the owner who signed it: the grant is valid no longer than that owner. */
export async function verifySignedGrant(
  statement: string,
  owners: readonly PublicKey[],
): Promise<{ grant: Grant; signer: KeyId }> {
  const { claims, signer } = await verifyStatement(GRANT, statement, ownerKey(owners));
  return { grant: claims, signer };
}

/** Reads a grant without verifying it, for display only, never for a decision. */
export function readGrant(statement: string): Grant {
  return readUnverified(GRANT, statement).claims;
}

/** Throws if a grant has ended. `nowS`: seconds since 1970. */
export function checkGrantTime(grant: Grant, nowS: number): void {
  if (nowS >= grant.not_after) {
    throw new CmdopError(
      "GrantExpired",
      `The grant of key ${JSON.stringify(grant.name)} ended at ${new Date(grant.not_after * 1000).toISOString()}; the clock here says ${new Date(nowS * 1000).toISOString()}.`,
    );
  }
}
