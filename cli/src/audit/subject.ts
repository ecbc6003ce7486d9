import type { CMDOPClient } from "@cmdop/sdk";
import { onKey } from "../keys/on-key.ts";
import { onMachine } from "../machines/on-machine.ts";

/** A whole id of a machine or a key. Records outlive both, so it is taken as it is. */
const WHOLE_ID = /^[\w-]{43}$/;

/** The name of a machine's own socket in the place of a key. */
const LOCAL_KEY = "local";

/** The machine and the key whose records are asked for. */
export interface AuditSubject {
  readonly machine?: string | undefined;
  readonly key?: string | undefined;
}

/** The ids for what a person named: by a name, an id, or the beginning of one. */
export async function auditSubject(
  client: CMDOPClient,
  { machine, key }: AuditSubject,
): Promise<AuditSubject> {
  const isMachineKnown = machine === undefined || WHOLE_ID.test(machine);
  const isKeyKnown = key === undefined || key === LOCAL_KEY || WHOLE_ID.test(key);
  return {
    machine: isMachineKnown
      ? machine
      : await onMachine(client, machine, async (name) => (await client.machines.find(name)).id),
    key: isKeyKnown ? key : await onKey(client, key, async (name) => (await client.keys.show(name)).keyId),
  };
}
