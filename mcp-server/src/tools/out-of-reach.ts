import { printable } from "@cmdop/proto";
import type { LinkLoss } from "@cmdop/sdk";
import { timeText } from "../time-text.ts";

/** Says of a machine that can't be reached since when that is so, and what becomes of what runs there. */
export function outOfReach(noun: string, { code, sinceMs }: LinkLoss, machine: string | null): string {
  const since = timeText(sinceMs);
  const name = machine === null ? "the machine" : nameText(machine);
  const what =
    code === "MachineOffline"
      ? `${name} went offline at ${since}`
      : `${name} is out of reach since ${since} (${code})`;
  return `${what}; the ${noun} may still run there`;
}

/** A machine's name within a sentence: one that could be read as more is quoted. */
export function nameText(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : printable(JSON.stringify(name));
}
