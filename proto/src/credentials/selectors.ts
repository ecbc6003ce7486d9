import { z } from "zod";
import { bytes32Schema, labelsSchema } from "./fields.ts";

/** Selects the machines of a grant: one matching selector is enough. `*` in a name matches any characters. */
export const machineSelectorSchema = z.union([
  z.strictObject({ id: bytes32Schema }),
  z.strictObject({ name: z.string().regex(/^[a-zA-Z0-9._*-]{1,63}$/, "expected a machine name, * allowed") }),
  z.strictObject({
    labels: labelsSchema.refine((labels) => Object.keys(labels).length > 0, "expected a label"),
  }),
]);
export type MachineSelector = z.infer<typeof machineSelectorSchema>;

/** A machine's identity in its owner-signed record. */
export interface MachineIdentity {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Returns true if any of the selectors matches the machine. */
export function selects(selectors: readonly MachineSelector[], machine: MachineIdentity): boolean {
  return selectors.some((selector) => {
    if ("id" in selector) return selector.id === machine.id;
    if ("name" in selector) return matchesGlob(selector.name, machine.name);
    return Object.entries(selector.labels).every(
      ([key, value]) => Object.hasOwn(machine.labels, key) && machine.labels[key] === value,
    );
  });
}

/**
 * Matches a name with a pattern in which `*` stands for any run of characters; linear in the name's length
 * for each star.
 */
function matchesGlob(glob: string, name: string): boolean {
  const [head = "", ...rest] = glob.split("*");
  if (rest.length === 0) return glob === name;
  const tail = rest.pop() ?? "";
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let from = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, from);
    if (found === -1 || found + part.length > name.length - tail.length) return false;
    from = found + part.length;
  }
  return true;
}
