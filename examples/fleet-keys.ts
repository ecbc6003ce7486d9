/**
 * A key for each of ten devices, in a loop: one that is lost is revoked, and the
 * other nine go on.
 *
 * The owner key is opened with the passphrase in CMDOP_OWNER_PASSPHRASE:
 *
 *   node examples/fleet-keys.ts ID@HOST:PORT ~/.cmdop/owner/owner.key
 */
import { CMDOPClient } from "@cmdop/sdk";

/** Makes a key for each device; the devices may join later. */
export async function fleetKeys(
  owner: CMDOPClient,
  devices: readonly string[],
): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const device of devices) {
    const { apiKey } = await owner.keys.create({
      name: `fleet-${device}`,
      scopes: ["terminal", "files:read", "files:write"],
      machines: [device],
    });
    keys.set(device, apiKey);
  }
  return keys;
}

if (import.meta.main) {
  const [relay = "", keyFile = ""] = process.argv.slice(2);
  await using owner = await CMDOPClient.owner({ relay, keyFile });
  const devices = Array.from({ length: 10 }, (_, index) => `device-${index + 1}`);
  for (const [device, apiKey] of await fleetKeys(owner, devices)) console.log(`${device} ${apiKey}`);
}
