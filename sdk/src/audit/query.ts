import { atLeastHalf, Backoff } from "@cmdop/kit";
import {
  Audit as AuditService,
  type CallOptions,
  CmdopError,
  mayHaveRun,
  readAuditRecord,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { AuditEntry } from "./types.ts";

const QUERY = "/cmdop.relay.v1.Audit/Query";

/**
 * Most attempts in a row without a record before a stream gives up. With their growing pauses they last about
 * a minute.
 */
const MAX_VAIN_ATTEMPTS = 40;

/** The conditions in the relay's terms. */
export interface AuditFilter {
  readonly machineId: string;
  readonly keyId: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly follow: boolean;
}

/** Streams records. After a lost connection it begins anew and skips the records that it has yielded. */
export async function* queryRecords(
  relay: MachineCaller,
  filter: AuditFilter,
  signal: AbortSignal | undefined,
): AsyncGenerator<AuditEntry, void> {
  const service = relay.client(AuditService);
  const yielded = new Map<string, number>();
  const pauses = new Backoff(relay.transport.reconnect, atLeastHalf);
  let wasConnected = false;
  for (;;) {
    try {
      const options: CallOptions = await relay.options(QUERY, { signal });
      wasConnected = true;
      for await (const { chain, seq, body } of service.query(filter, options)) {
        const entry = auditEntry(chain?.id ?? "", chain?.machineId ?? "", Number(seq), body);
        if (entry.seq <= (yielded.get(entry.chain) ?? 0)) continue;
        pauses.reset();
        yielded.set(entry.chain, entry.seq);
        yield entry;
      }
      return;
    } catch (thrown) {
      const error = CmdopError.from(thrown);
      const isLost = mayHaveRun(error) || (wasConnected && error.code === "RelayUnreachable");
      if (!isLost || signal?.aborted || pauses.failures >= MAX_VAIN_ATTEMPTS) throw error;
      if (await pauses.wait({ signal })) continue;
      throw new CmdopError("Canceled", "The query was ended by its caller.");
    }
  }
}

function auditEntry(chain: string, machineId: string, seq: number, body: Uint8Array): AuditEntry {
  return {
    chain,
    machineId: machineId === "" ? null : machineId,
    seq,
    record: readAuditRecord(body, machineId === "" ? "relay" : "machine") ?? null,
    raw: new TextDecoder().decode(body),
  };
}
