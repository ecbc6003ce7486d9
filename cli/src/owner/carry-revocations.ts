import type { CMDOPClient } from "@cmdop/sdk";
import { OwnerLedger } from "./ledger.ts";

/**
 * Revokes at an owner's relay the keys that were revoked at a former one: a grant names no relay, so a machine
 * that moves would take calls of those keys again.
 */
export async function carryRevocations(owner: CMDOPClient, formerRelayId: string): Promise<void> {
  const former = (await OwnerLedger.open(formerRelayId)).revokedKeys();
  const { revoked } = await owner.roster.get();
  const missing = former.filter((keyId) => !revoked.includes(keyId));
  if (missing.length === 0) return;
  await owner.roster.change((now) => ({ revoked: [...new Set([...now.revoked, ...missing])] }));
}
