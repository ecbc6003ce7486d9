/**
 * A key for one device: whoever holds it reaches that machine and no other, and
 * may do there what its scopes say.
 *
 * The owner key is opened with the passphrase in CMDOP_OWNER_PASSPHRASE:
 *
 *   node examples/one-device-key.ts ID@HOST:PORT ~/.cmdop/owner/owner.key web-1
 */
import { CMDOPClient } from "@cmdop/sdk";

/** Makes a key that reads the logs of one device. */
export async function logReaderKey(owner: CMDOPClient, device: string, directory: string): Promise<string> {
  const { apiKey } = await owner.keys.create({
    name: `logs-${device}`,
    scopes: ["files:read"],
    machines: [device],
    paths: [directory],
  });
  return apiKey;
}

if (import.meta.main) {
  const [relay = "", keyFile = "", device = ""] = process.argv.slice(2);
  await using owner = await CMDOPClient.owner({ relay, keyFile });
  console.log(await logReaderKey(owner, device, "/var/log"));
}
