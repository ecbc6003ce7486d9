import { type CMDOPClient, CmdopError } from "@cmdop/sdk";

/** Finds the names of machines by their ids, as far as the key may know them; ids stand for the others. */
export async function machineNames(client: CMDOPClient): Promise<(id: string) => string> {
  try {
    const machines = await client.machines.list();
    const names = new Map(machines.map(({ id, name }) => [id, name]));
    return (id) => names.get(id) ?? id;
  } catch (thrown) {
    // Reading records does not need machines:read.
    if (CmdopError.from(thrown).code !== "PermissionDenied") throw thrown;
    return (id) => id;
  }
}
