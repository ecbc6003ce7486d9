import { existsSync } from "node:fs";
import type { Scope } from "@cmdop/proto/methods";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { passphraseFromEnvironment } from "../passphrase/environment.ts";
import { type OwnerOptions, ownerClient, readOwner } from "./owner.ts";

/**
 * A client for work that the owner may do, and others with the scope that it
 * needs: the key of environment or profile where that has it, so that nobody is
 * asked for a passphrase in vain; else the owner. The owner comes first where the
 * passphrase is given, or a relay was named, which only the owner's commands take.
 */
export async function operatorClient(options: OwnerOptions, scope: Scope): Promise<CMDOPClient> {
  const meansOwner =
    options.relay !== undefined ||
    options.passphraseFd !== undefined ||
    passphraseFromEnvironment() !== undefined;
  const owner = await readOwner();
  if (!meansOwner && owner !== undefined) {
    const asKey = await clientWith(scope);
    if (asKey !== undefined) return asKey;
  }
  return ownerOrKey(options);
}

/** A client as the owner, where this home has the owner key or a relay was named; else with the key of environment or profile. */
export async function ownerOrKey(options: OwnerOptions): Promise<CMDOPClient> {
  const isOwner = options.relay !== undefined || (await readOwner()) !== undefined;
  return isOwner ? ownerClient(options) : CMDOPClient.fromProfile();
}

/** A client that lists machines: what environment or profile say, and the owner only where neither says anything. */
export async function machinesClient(options: OwnerOptions): Promise<CMDOPClient> {
  return isToldOfKey() ? CMDOPClient.fromProfile() : ownerOrKey(options);
}

/** A client with the key of environment or profile; undefined where there is none, or it does not count or lacks the scope. */
async function clientWith(scope: Scope): Promise<CMDOPClient | undefined> {
  if (!isToldOfKey()) return undefined;
  const client = CMDOPClient.fromProfile();
  try {
    const { scopes } = await client.whoAmI();
    if (scopes.includes(scope)) return client;
  } catch (thrown) {
    // The relay refuses the key: the owner may know more. Everything else would be the owner's trouble, too.
    if (!(thrown instanceof CmdopError) || !REFUSALS.includes(thrown.code)) {
      await client.close();
      throw thrown;
    }
  }
  await client.close();
  return undefined;
}

/** What a relay says to a key that does not count. */
const REFUSALS: readonly string[] = ["KeyUnknown", "KeyRevoked", "GrantExpired", "GrantRefused"];

function isToldOfKey(): boolean {
  return Boolean(process.env.CMDOP_API_KEY) || existsSync(homePaths.profile());
}
