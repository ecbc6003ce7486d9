import { existsSync } from "node:fs";
import { CMDOPClient } from "@cmdop/sdk";
import { homePaths } from "./home.ts";
import { loadOwner, ownerClient } from "./owner.ts";

/**
 * A client for the operator's work: the owner where this home has the owner key
 * (or a relay was named, which only the owner's commands take), else the key of
 * environment or profile, which may have the scopes that the work needs.
 */
export async function operatorClient(relay?: string): Promise<CMDOPClient> {
  const isOwner = relay !== undefined || (await loadOwner()) !== undefined;
  return isOwner ? ownerClient(relay) : CMDOPClient.fromProfile();
}

/** A client that lists machines: what environment or profile say, and the owner only where neither says anything. */
export async function machinesClient(): Promise<CMDOPClient> {
  const isTold = Boolean(process.env.CMDOP_API_KEY) || existsSync(homePaths.profile());
  return isTold ? CMDOPClient.fromProfile() : operatorClient();
}
