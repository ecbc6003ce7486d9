import { CmdopError, checkGrantTime, type Grant, type KeyId, selects } from "@cmdop/proto";
import type { Membership } from "../state/membership.ts";

/**
 * The basis of a key's right to call, once its signatures are verified. Signatures stay valid; the right
 * itself is checked at every call, and again for everything open whenever time has passed or the owner's
 * statements have changed.
 */
export interface Standing {
  readonly keyId: KeyId;
  /** Absent for an owner key. */
  readonly granted?: { readonly grant: Grant; readonly signer: KeyId } | undefined;
}

/** The parts of a membership on which a right depends. */
export type Statements = Pick<Membership, "clock" | "identity" | "isOwner" | "isRevoked">;

/**
 * Throws if a key's right to call on this machine has ended by `nowS`, seconds since 1970.
 * @throws CmdopError KeyRevoked, GrantRefused, GrantExpired, PermissionDenied
 */
export function checkStanding(
  { keyId, granted }: Standing,
  statements: Statements,
  nowS = statements.clock.nowS(),
): void {
  if (statements.isRevoked(keyId)) {
    throw new CmdopError("KeyRevoked", "The owner has revoked this key.");
  }
  if (granted === undefined) {
    if (!statements.isOwner(keyId)) {
      throw new CmdopError("GrantRefused", "This key is no longer an owner of this machine.");
    }
    return;
  }
  const { grant, signer } = granted;
  if (!statements.isOwner(signer)) {
    throw new CmdopError(
      "GrantRefused",
      `The grant of key ${JSON.stringify(grant.name)} was signed by somebody who is no longer an owner of this machine.`,
    );
  }
  checkGrantTime(grant, nowS);
  if (!selects(grant.machines, statements.identity)) {
    throw new CmdopError(
      "PermissionDenied",
      `Key ${JSON.stringify(grant.name)} is not granted this machine, which its owner calls ${statements.identity.name}.`,
      { next: "Ask the owner for a key for this machine." },
    );
  }
}

/**
 * Returns the reason why a right has ended, so that everything based on it must end; undefined while it
 * stands, or if only a clock that has just jumped says otherwise.
 */
export function endOf(standing: Standing, statements: Statements): CmdopError | undefined {
  try {
    checkStanding(standing, statements, statements.clock.steadyS());
    return undefined;
  } catch (thrown) {
    return CmdopError.from(thrown);
  }
}

/** True if `other` is a later grant of the same key. */
export function isNewer(other: Standing, than: Standing | undefined): boolean {
  return (other.granted?.grant.iat ?? 0) > (than?.granted?.grant.iat ?? -1);
}
