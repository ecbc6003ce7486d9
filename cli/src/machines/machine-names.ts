import { type CMDOPClient, CmdopError } from "@cmdop/sdk";
import { shortId } from "../console/short-ids.ts";

/**
 * Returns a function that names machines by their ids, as far as the key may see names; else it returns the
 * beginning of the id.
 */
export async function machineNames(client: CMDOPClient): Promise<(id: string) => string> {
  try {
    const machines = await client.machines.list();
    const names = new Map(machines.map(({ id, name }) => [id, name]));
    return (id) => names.get(id) ?? shortId(id);
  } catch (thrown) {
    // Reading records does not need the scope machines:read.
    if (CmdopError.from(thrown).code !== "PermissionDenied") throw thrown;
    return shortId;
  }
}
