/**
 * Temporary access for support: the key ends by itself, and with it what it has
 * running. The audit tells afterwards what was done with it.
 *
 * The owner key is opened with the passphrase in CMDOP_OWNER_PASSPHRASE:
 *
 *   node examples/support-access.ts ID@HOST:PORT ~/.cmdop/owner/owner.key web-1
 */
import { CMDOPClient } from "@cmdop/sdk";

/** Makes a key that ends by itself after `seconds`. */
export function supportKey(owner: CMDOPClient, machine: string, seconds: number) {
  const scopes = ["terminal" as const, "files:read" as const];
  return owner.keys.create({ name: `support-${machine}`, scopes, machines: [machine], expiresInS: seconds });
}

/** What was run with a key, in the machine's own words. */
export async function whatWasDone(owner: CMDOPClient, keyId: string): Promise<string[]> {
  const done: string[] = [];
  for await (const { record } of owner.audit.query({ key: keyId })) {
    if (record?.type === "begin" && "what" in record && record.what !== undefined) done.push(record.what);
  }
  return done;
}

if (import.meta.main) {
  const [relay = "", keyFile = "", machine = ""] = process.argv.slice(2);
  await using owner = await CMDOPClient.owner({ relay, keyFile });
  const { apiKey, expiresAtMs } = await supportKey(owner, machine, 2 * 60 * 60);
  console.log(`${apiKey}\nIt ends on ${new Date(expiresAtMs).toISOString()}.`);
}
