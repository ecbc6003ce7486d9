import { existsSync } from "node:fs";
import type { Scope } from "@cmdop/proto/methods";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { passphraseFromEnvironment } from "../passphrase/environment.ts";
import { type OwnerOptions, ownerClient, readOwner } from "./owner.ts";

/**
 * Makes a client for work that needs a scope or the owner. It takes the key of environment or profile if that
 * has the scope, so that no passphrase is asked for in vain; else the owner's key. The owner's key comes
 * first if the passphrase is given, or a relay was named, which only the owner's commands accept.
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

/**
 * Makes a client as the owner, if this home has the owner key or a relay was named; else with the key of
 * environment or profile.
 */
export async function ownerOrKey(options: OwnerOptions): Promise<CMDOPClient> {
  const isOwner = options.relay !== undefined || (await readOwner()) !== undefined;
  return isOwner ? ownerClient(options) : CMDOPClient.fromProfile();
}

/**
 * Makes a client that lists machines: with the key of environment or profile, and as the owner only if there
 * is no key.
 */
export async function machinesClient(options: OwnerOptions): Promise<CMDOPClient> {
  return isToldOfKey() ? CMDOPClient.fromProfile() : ownerOrKey(options);
}

/**
 * Makes a client with the key of environment or profile; undefined if there is none, or it is not valid or
 * lacks the scope.
 */
async function clientWith(scope: Scope): Promise<CMDOPClient | undefined> {
  if (!isToldOfKey()) return undefined;
  const client = CMDOPClient.fromProfile();
  try {
    const { scopes } = await client.whoAmI();
    if (scopes.includes(scope)) return client;
  } catch (thrown) {
    // The relay refuses the key, but may accept the owner. Any other error would concern the owner too.
    if (!(thrown instanceof CmdopError) || !REFUSALS.includes(thrown.code)) {
      await client.close();
      throw thrown;
    }
  }
  await client.close();
  return undefined;
}

/** Error codes for a key that is not valid. */
const REFUSALS: readonly string[] = ["KeyUnknown", "KeyRevoked", "GrantExpired", "GrantRefused"];

function isToldOfKey(): boolean {
  return Boolean(process.env.CMDOP_API_KEY) || existsSync(homePaths.profile());
}
