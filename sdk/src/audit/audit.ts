import { bytes32Schema, CmdopError } from "@cmdop/proto";
import { z } from "zod";
import type { MachineCaller } from "../connection/caller.ts";
import type { Keys } from "../relay/keys.ts";
import type { Machines } from "../relay/machines.ts";
import { queryRecords } from "./query.ts";
import {
  type AuditEntry,
  type AuditQueryOptions,
  type AuditReport,
  type AuditVerifyOptions,
  auditHeadsSchema,
} from "./types.ts";
import { verifyChains } from "./verify.ts";

/** What a key's caller of the machine's own socket is called in records. */
const LOCAL_KEY = "local";

/** What the reading of records needs of its client. */
export interface AuditParts {
  readonly relay: MachineCaller;
  readonly machines: Machines;
  readonly keys: Keys;
  readonly callerOf: (machineId: string) => MachineCaller;
}

/** What was recorded of calls, by the relay and by the machines. Needs the scope `audit:read`. */
export class Audit {
  readonly #parts: AuditParts;

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** The records that match, the oldest first, from all chains that this key may see. */
  async *query(options: AuditQueryOptions = {}): AsyncGenerator<AuditEntry, void> {
    const { relay, machines } = this.#parts;
    const { machine, key, sinceMs = 0, untilMs = 0, follow = false, signal } = options;
    const machineId = machine === undefined ? "" : await idOf(machine, machines);
    const keyId = key === undefined ? "" : await this.#keyId(key);
    yield* queryRecords(relay, { machineId, keyId, sinceMs, untilMs, follow }, signal);
  }

  /**
   * Recomputes every chain from its records and holds the result against the
   * hashes beside them, the machines' signed heads, what machines that are online
   * say now, and the heads that an earlier verification returned. Finds records
   * that were changed, removed, moved or cut off.
   */
  async verify(options: AuditVerifyOptions = {}): Promise<AuditReport> {
    const { relay, machines, callerOf } = this.#parts;
    const { heads = [], machine, askMachines = true, signal } = options;
    const checked = auditHeadsSchema.safeParse(heads);
    if (!checked.success) {
      throw new CmdopError("InvalidArgument", `These are no heads: ${z.prettifyError(checked.error)}`, {
        next: "Give what an earlier verification returned as heads, unchanged.",
      });
    }
    // Without the scope for it the names are missing, and nobody is asked.
    const known = await machines.list().catch((thrown) => {
      if (CmdopError.from(thrown).code === "PermissionDenied") return [];
      throw thrown;
    });
    return verifyChains({
      relay,
      machines: known,
      machineId: machine === undefined ? undefined : await idOf(machine, machines),
      heads: checked.data,
      callerOf: askMachines ? callerOf : undefined,
      signal,
    });
  }

  async #keyId(key: string): Promise<string> {
    if (key === LOCAL_KEY || bytes32Schema.safeParse(key).success) return key;
    return (await this.#parts.keys.show(key)).keyId;
  }
}

/** Records outlive their machine, so an id needs no look-up. */
async function idOf(machine: string, machines: Machines): Promise<string> {
  return bytes32Schema.safeParse(machine).success ? machine : (await machines.find(machine)).id;
}
