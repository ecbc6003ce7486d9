import { type CMDOPClient, CmdopError, type MachineStatus } from "@cmdop/sdk";
import { meant } from "../console/meant.ts";

const SOUGHT = {
  noun: "machine",
  none: "This key reaches no machine that is called",
  listedBy: "cmdop machines",
  unknown: "MachineUnknown",
  ambiguous: "MachineAmbiguous",
} as const;

/**
 * Does work on the machine that a person means: the one that is called so, else the one whose id begins so.
 * Only where the relay knows no such name are the machines listed and the work begun again, because nothing
 * has run by then.
 * @throws CmdopError MachineUnknown with the closest names, MachineAmbiguous with the candidates
 */
export async function onMachine<T, M extends string | undefined>(
  client: CMDOPClient,
  machine: M,
  work: (machine: M | string) => Promise<T>,
): Promise<T> {
  try {
    return await work(machine);
  } catch (thrown) {
    if (machine === undefined || !isUnknownMachine(thrown)) throw thrown;
    const { machines } = await client.whoAmI();
    return await work(machineMeant(machine, machines));
  }
}

/** A machine that a person means, as it can be called: its name as it is, else its id. */
export function machineMeant(text: string, machines: readonly Pick<MachineStatus, "id" | "name">[]): string {
  return machines.some(({ name }) => name === text) ? text : meant(text, machines, SOUGHT).id;
}

export function isUnknownMachine(thrown: unknown): boolean {
  return thrown instanceof CmdopError && thrown.code === "MachineUnknown";
}
