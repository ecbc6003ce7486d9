import { type CMDOPClient, CmdopError } from "@cmdop/sdk";
import { meant } from "../console/meant.ts";

const SOUGHT = {
  noun: "key",
  none: "This relay knows no key with the id or the name",
  listedBy: "cmdop keys list --all",
  unknown: "NotFound",
  ambiguous: "Ambiguous",
} as const;

/**
 * Does work on the key that a person means: the one with that name or id, else the one whose id begins so.
 * @throws CmdopError NotFound with the closest names, Ambiguous with the candidates
 */
export async function onKey<T>(
  client: CMDOPClient,
  key: string,
  work: (key: string) => Promise<T>,
): Promise<T> {
  try {
    return await work(key);
  } catch (thrown) {
    if (!(thrown instanceof CmdopError) || thrown.code !== "NotFound") throw thrown;
    return await work(await keyMeant(client, key));
  }
}

async function keyMeant(client: CMDOPClient, text: string): Promise<string> {
  const keys = await client.keys.list();
  return meant(
    text,
    keys.map(({ keyId, name }) => ({ id: keyId, name })),
    SOUGHT,
  ).id;
}
