import { formatApiKey, parseApiKey, type RelayTarget, readPrivateFile } from "@cmdop/proto";
import { CMDOPClient, CmdopError, type Profile } from "@cmdop/sdk";
import { homePaths, writeHomeFile } from "./home.ts";

/** A key of the profile is replaced when less than this is left of its life, in milliseconds. */
const RENEW_KEY_BEFORE_END_MS = 7 * 24 * 60 * 60 * 1000;

/** Writes the profile, where it is not so already. */
export async function writeProfile({ apiKey, machine }: Profile): Promise<void> {
  const profile = `${JSON.stringify({ apiKey, machine }, null, 2)}\n`;
  if (profile !== readPrivateFile(homePaths.profile())) {
    await writeHomeFile(homePaths.profile(), profile);
  }
}

/** Makes a key the home's own; the machine that calls go to stays, where one was named. */
export async function saveKey(apiKey: string): Promise<void> {
  const text = readPrivateFile(homePaths.profile());
  const machine: unknown = text === undefined ? undefined : JSON.parse(text).machine;
  await writeProfile({ apiKey, machine: typeof machine === "string" ? machine : undefined });
}

/**
 * The profile's key, with the address that the relay has now; undefined where
 * there is none, or it can't be used for long. It is kept while it is good: its
 * jobs are known by it.
 */
export async function goodKey(relay: RelayTarget): Promise<string | undefined> {
  const profile = readPrivateFile(homePaths.profile());
  if (profile === undefined) return undefined;
  try {
    const { key, relay: before } = parseApiKey(JSON.parse(profile).apiKey);
    if (before.id !== relay.id) return undefined;
    const apiKey = formatApiKey({ key, relay });
    await using client = CMDOPClient.remote({ apiKey, relay: relay.address });
    const { expiresAtMs } = await client.whoAmI();
    const isGood = expiresAtMs !== null && expiresAtMs - Date.now() > RENEW_KEY_BEFORE_END_MS;
    return isGood ? apiKey : undefined;
  } catch (thrown) {
    // Damaged, revoked or of another relay: all of them call for a new key.
    if (thrown instanceof SyntaxError || thrown instanceof CmdopError || thrown instanceof TypeError)
      return undefined;
    throw thrown;
  }
}
