import os from "node:os";
import { machineState, prepareToJoin } from "@cmdop/agent";
import { hostAsName, nameSchema, SCOPES } from "@cmdop/proto";
import { type CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { goodKey, writeProfile } from "../home/profile.ts";
import { clientOf, createOwner, openOwner, readOwner } from "../owner/owner.ts";
import type { Passphrase } from "../passphrase/passphrase.ts";
import type { UpOptions } from "./bring-up.ts";
import { startUpRelay } from "./relay.ts";

/** Scopes of a key of `up`: everything on this one machine except administration. */
const PROFILE_SCOPES = SCOPES.filter((scope) => scope !== "admin" && scope !== "approve");

/**
 * Has the owner, who is made where there is none, sign what `cmdop up` needs: the
 * roster, what this machine joins with, and the profile's key. No agent runs in
 * this process meanwhile, and it is to be replaced before one does: what was in
 * its memory is nothing for the agent's jobs.
 */
export async function signForUp(options: UpOptions, passphrase: Passphrase): Promise<void> {
  if (options.name !== undefined) checkName(options.name);
  const exists = (await readOwner()) !== undefined;
  const owner = exists ? await openOwner(passphrase) : await createOwner(passphrase);
  const relay = await startUpRelay(options, owner.key.publicKey);
  try {
    const target = { id: relay.id, address: relay.address };
    await using client = await clientOf(owner, target);
    const { id, name } = await machineState(homePaths.home());
    const machine = name ?? options.name ?? hostAsName(os.hostname());
    if (name === undefined) {
      await prepareToJoin(homePaths.home(), await client.machines.createJoinToken({ name: machine }));
    }
    const apiKey = (await goodKey(target)) ?? (await newKey(client, { id, name: machine }));
    await writeProfile({ apiKey, machine });
  } finally {
    await relay.shutdown();
  }
}

/** A key for this machine alone, for 90 days. */
async function newKey(owner: CMDOPClient, { id, name }: { id: string; name: string }): Promise<string> {
  const options = { name: `up-${name}`.slice(0, 63), scopes: PROFILE_SCOPES, machines: [id] };
  return (await owner.keys.create(options)).apiKey;
}

function checkName(name: string): void {
  if (nameSchema.safeParse(name).success) return;
  throw new CmdopError("InvalidArgument", `${JSON.stringify(name)} can't be a machine's name.`, {
    next: "A name has 1 to 63 letters, digits, dots, dashes or underscores.",
  });
}
