import {
  bytes32Schema,
  CmdopError,
  type KeyPair,
  Keys as KeysService,
  type PublicKey,
  signGrant,
  statementSigner,
  thumbprint,
  verifyGrant,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { keptKeys } from "./kept-keys.ts";
import type { OwnerRotation, RosterContent, RosterInfo, RotateOwnerOptions } from "./roster-types.ts";

/** The parts of the roster that a rotation needs. */
interface Rotating {
  readonly relay: MachineCaller;
  /** The calling owner. */
  readonly me: KeyPair;
  change(signer: KeyPair, change: (roster: RosterInfo) => Partial<RosterContent>): Promise<RosterInfo>;
}

/**
 * Rotates an owner: first both are owners, then the grants are signed again, then the new owner is the only
 * one. So no call is refused meanwhile.
 */
export async function rotateOwner(options: RotateOwnerOptions, rotating: Rotating): Promise<OwnerRotation> {
  const { newOwner, remove, resignWith: signer = rotating.me } = options;
  for (const key of [newOwner, remove]) {
    if (bytes32Schema.safeParse(key).success) continue;
    throw new CmdopError("InvalidArgument", `${JSON.stringify(key)} is not an owner's public key.`);
  }
  if (newOwner === remove) {
    throw new CmdopError("InvalidArgument", "The new owner and the owner to remove are the same.");
  }
  if (signer.publicKey === remove) {
    throw new CmdopError("InvalidArgument", "The owner to remove can't sign grants for the time after it.", {
      next: "Give the new owner's own key as resignWith, or rotate with the recovery owner's key.",
    });
  }
  const both = await rotating.change(rotating.me, ({ owners }) => ({
    owners: owners.includes(newOwner) ? owners : [...owners, newOwner],
  }));
  if (!both.owners.includes(signer.publicKey)) {
    throw new CmdopError("InvalidArgument", "The key in resignWith is not an owner's.", {
      next: "Give the new owner's key, or the key of an owner who stays.",
    });
  }
  const resigned = await resignGrants(rotating.relay, { from: remove, to: signer, revoked: both.revoked });
  const roster = await rotating.change(signer, ({ owners }) => ({
    owners: owners.filter((owner) => owner !== remove),
  }));
  return { roster, resigned };
}

/** Signs the active grants of one owner again as another, with unchanged terms. */
async function resignGrants(
  relay: MachineCaller,
  { from, to, revoked }: { from: PublicKey; to: KeyPair; revoked: readonly string[] },
): Promise<string[]> {
  const service = relay.client(KeysService);
  const nowS = Date.now() / 1000;
  const resigned: string[] = [];
  for await (const kept of keptKeys(relay)) {
    if (kept.blocked || revoked.includes(kept.keyId) || statementSigner(kept.grant) !== thumbprint(from))
      continue;
    // The relay is not trusted: only grants that the old owner did sign are signed again.
    const claims = await verifyGrant(kept.grant, [from]);
    if (claims.not_after <= nowS || revoked.includes(thumbprint(claims.key))) continue;
    const grant = await signGrant(claims, to);
    await relay.invoke("/cmdop.relay.v1.Keys/Put", (call) => service.put({ grant }, call));
    resigned.push(thumbprint(claims.key));
  }
  return resigned;
}
