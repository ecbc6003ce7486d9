import { within } from "@cmdop/kit";
import { z } from "zod";
import type { ToolClient, ToolMachine } from "./client.ts";
import { MACHINE_NAME_WAIT_MS } from "./limits.ts";

/** The one way in which every tool names a machine. */
export const machineArgument = z.string().optional().describe("Machine name or id");

/** The machine that a call named, or the client's own. Models write an empty string for an argument they leave out. */
export function pickMachine(client: ToolClient, machine: string | undefined): ToolMachine {
  return machine ? client.machine(machine) : client;
}

/** What the machine of a call is called in its answer: null where that is not known. */
export type NameMachine = (machine: string | undefined) => Promise<string | null>;

/**
 * Names the machine as the call did, or else as the server was told, or else by
 * the only machine that the key reaches, asked for once. The name is a label in
 * an answer that has been paid for: it never fails a call and never holds it up.
 */
export function nameMachines(
  client: ToolClient,
  ownMachine: string | undefined,
  report: (error: unknown) => void,
): NameMachine {
  let known = ownMachine;
  let hasReported = false;
  const ask = async (): Promise<string | null> => {
    const { machines } = await client.whoAmI();
    const [only, ...others] = machines;
    if (only === undefined || others.length > 0) return null;
    known = only.name;
    return only.name;
  };
  return async (machine) => {
    const name = machine || known;
    if (name !== undefined) return name;
    const asked = ask().catch((thrown) => {
      // A local socket has no relay to ask: that stays so, and saying it once is enough.
      if (!hasReported) report(thrown);
      hasReported = true;
      return null;
    });
    return (await within(asked, MACHINE_NAME_WAIT_MS)) ?? null;
  };
}
