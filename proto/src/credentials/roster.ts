import { z } from "zod";
import { MAX_ROSTER_BYTES } from "../limits.ts";
import { type KeyId, type KeyPair, type PublicKey, thumbprint } from "./ed25519.ts";
import { addressSchema, bytes32Schema, relayIdSchema, secondsSchema, seqSchema } from "./fields.ts";
import { readUnverified, type StatementKind, signStatement, verifyStatement } from "./statement.ts";

/** Most keys that one roster can revoke: with 64 relays they fit into MAX_ROSTER_BYTES. */
export const MAX_REVOKED_KEYS = 10_000;

const rosterFields = z.strictObject({
  /** A roster replaces those with a lower seq, never the other way round. */
  seq: seqSchema,
  /** Time of signing, which agents use as a lower bound of the time. */
  iat: secondsSchema,
  /** Public keys of the owners, who may grant. */
  owners: z.array(bytes32Schema).min(1).max(16),
  /** Relays that serve this owner. */
  relays: z.array(z.strictObject({ id: relayIdSchema, addresses: z.array(addressSchema).max(16) })).max(64),
  /** Ids of keys that are revoked for ever. */
  revoked: z.array(bytes32Schema).max(MAX_REVOKED_KEYS),
});

/** A revoked owner could do nothing: if all were revoked, nobody could ever sign again. */
const rosterSchema = rosterFields.refine(
  ({ owners, revoked }) => !owners.some((owner) => revoked.includes(thumbprint(owner))),
  { message: "a roster can't revoke its owners", path: ["revoked"] },
);

/** The owner's numbered statement about the owners, the relays, and the revoked keys. */
export type Roster = z.infer<typeof rosterSchema>;

const ROSTER: StatementKind<Roster> = {
  type: "cmdop-roster",
  claims: rosterSchema,
  refusal: "GrantRefused",
  maxBytes: MAX_ROSTER_BYTES,
};

/** Signs a roster. */
export function signRoster(roster: Roster, owner: KeyPair): Promise<string> {
  return signStatement(ROSTER, roster, owner);
}

/** Verifies a roster against the public keys of owners who are already trusted. */
export async function verifyRoster(statement: string, trustedOwners: readonly PublicKey[]): Promise<Roster> {
  return (await verifyStatement(ROSTER, statement, ownerKey(trustedOwners))).claims;
}

/** Returns a lookup of owners' public keys by id, for verifyStatement. */
export function ownerKey(owners: readonly PublicKey[]): (signer: KeyId) => PublicKey | undefined {
  return (signer) => owners.find((owner) => thumbprint(owner) === signer);
}

/** Reads a roster that was verified before, from a place that only its holder can write. */
export function readRoster(statement: string): Roster {
  return readUnverified(ROSTER, statement).claims;
}
