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

/** Key id in records of calls through the machine's own socket. */
const LOCAL_KEY = "local";

/** The parts of the client that reading records needs. */
export interface AuditParts {
  readonly relay: MachineCaller;
  readonly machines: Machines;
  readonly keys: Keys;
  readonly callerOf: (machineId: string) => MachineCaller;
}

/** The records of calls, kept by the relay and by the machines. Needs the scope `audit:read`. */
export class Audit {
  readonly #parts: AuditParts;

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** Yields the records that match, the oldest first, from all chains that this key may see. */
  async *query(options: AuditQueryOptions = {}): AsyncGenerator<AuditEntry, void> {
    const { relay, machines } = this.#parts;
    const { machine, key, sinceMs = 0, untilMs = 0, follow = false, signal } = options;
    const machineId = machine === undefined ? "" : await idOf(machine, machines);
    const keyId = key === undefined ? "" : await this.#keyId(key);
    yield* queryRecords(relay, { machineId, keyId, sinceMs, untilMs, follow }, signal);
  }

  /**
   * Recomputes every chain from its records and compares the result with the hashes stored beside them, the
   * machines' signed heads, the answers of machines that are online, and the heads from an earlier
   * verification. Finds records that were changed, removed, moved or cut off.
   */
  async verify(options: AuditVerifyOptions = {}): Promise<AuditReport> {
    const { relay, machines, callerOf } = this.#parts;
    const { heads = [], machine, askMachines = true, signal } = options;
    const checked = auditHeadsSchema.safeParse(heads);
    if (!checked.success) {
      throw new CmdopError(
        "InvalidArgument",
        `These heads are not valid: ${z.prettifyError(checked.error)}`,
        {
          next: "Give what an earlier verification returned as heads, unchanged.",
        },
      );
    }
    // Without the scope to list machines, names are missing and no machine is asked.
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

/** Returns the machine's id. An id needs no look-up, since records outlive their machine. */
async function idOf(machine: string, machines: Machines): Promise<string> {
  return bytes32Schema.safeParse(machine).success ? machine : (await machines.find(machine)).id;
}
