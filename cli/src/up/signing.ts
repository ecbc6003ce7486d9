import os from "node:os";
import { machineState, prepareToJoin } from "@cmdop/agent";
import { hostAsName, nameSchema, SCOPES } from "@cmdop/proto";
import { type CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { relayElsewhere } from "../home/own-relay.ts";
import { goodKey, writeProfile } from "../home/profile.ts";
import { carryRevocations } from "../owner/carry-revocations.ts";
import { clientOf, createOwner, openOwner, readOwner } from "../owner/owner.ts";
import { rememberRelay, rememberUnlessOther } from "../owner/relay.ts";
import type { Passphrase } from "../passphrase/passphrase.ts";
import type { UpOptions } from "./bring-up.ts";
import { startUpRelay } from "./relay.ts";

/** Scopes of a key of `up`: everything except administration. */
const PROFILE_SCOPES = SCOPES.filter((scope) => scope !== "admin" && scope !== "approve");

/**
 * Has the owner, who is made where there is none, sign what `cmdop up` needs: the
 * roster, what this machine joins with, and the profile's key. No agent runs in
 * this process meanwhile, and it is to be replaced before one does: what was in
 * its memory is nothing for the agent's jobs.
 */
export async function signForUp(options: UpOptions, passphrase: Passphrase): Promise<void> {
  if (options.name !== undefined) checkName(options.name);
  const elsewhere = await relayElsewhere(options.relay);
  const exists = (await readOwner()) !== undefined;
  const owner = exists ? await openOwner(passphrase) : await createOwner(passphrase);
  const relay = await startUpRelay(options, owner.key.publicKey, elsewhere);
  try {
    await using client = await clientOf(owner, relay.target);
    const found = await machineState(homePaths.home());
    const hasJoined = found.relay?.id === relay.target.id;
    const machine = found.name ?? options.name ?? hostAsName(os.hostname());
    if (found.relay !== undefined && !hasJoined) await carryRevocations(client, found.relay.id);
    if (!hasJoined) {
      await prepareToJoin(homePaths.home(), await client.machines.createJoinToken({ name: machine }));
    }
    const apiKey =
      (await goodKey(relay.target)) ??
      (await newKey(client, machine, elsewhere === undefined ? found.id : EVERY_MACHINE));
    await writeProfile({ apiKey, machine });
    // A key that is made anew for the same relay changes nothing that the owner has said (cmdop owner relay).
    await (options.relay === undefined ? rememberUnlessOther : rememberRelay)(relay.target);
  } finally {
    await relay.shutdown();
  }
}

/** A relay elsewhere is for more than this machine, and so is the key. */
const EVERY_MACHINE = "*";

/** A key for 90 days, for one machine or for all of the owner's. */
async function newKey(owner: CMDOPClient, name: string, machines: string): Promise<string> {
  const options = { name: `up-${name}`.slice(0, 63), scopes: PROFILE_SCOPES, machines: [machines] };
  return (await owner.keys.create(options)).apiKey;
}

function checkName(name: string): void {
  if (nameSchema.safeParse(name).success) return;
  throw new CmdopError("InvalidArgument", `${JSON.stringify(name)} can't be a machine's name.`, {
    next: "A name has 1 to 63 letters, digits, dots, dashes or underscores.",
  });
}
