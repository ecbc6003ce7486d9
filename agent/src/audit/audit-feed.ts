import { pause } from "@cmdop/kit";
import type { ChainBatch } from "@cmdop/proto";
import type { MachineAudit } from "./machine-audit.ts";

/**
 * Pause between two batches of a growing chain, in milliseconds. Each batch is signed here, and verified and
 * written by the relay; without the pause, load would cause one batch for every record. Records that the
 * relay does not have yet can be lost with this machine.
 */
const PAUSE_MS = 200;

/** One answer of `Link/Audit`. */
interface AuditAnswer {
  readonly chain: string;
  readonly firstSeq: bigint;
  readonly previousHash: Uint8Array;
  readonly records: Uint8Array[];
  readonly head: string;
}

/**
 * Yields the machine's chain from the end of the asker's copy, and on as it grows, until `signal` aborts.
 * Each answer ends with a head that the machine signs for it. An asker that names another chain gets this one
 * from its start.
 */
export async function* auditFeed(
  audit: MachineAudit,
  { chain, after }: { readonly chain: string; readonly after: bigint },
  signal: AbortSignal,
): AsyncGenerator<AuditAnswer, void, void> {
  const { log } = audit;
  let position = chain === log.chain ? Number(after) : 0;
  const answer = async ({ firstSeq, previousHash, records, hashes }: ChainBatch): Promise<AuditAnswer> => {
    const end = { seq: firstSeq + records.length - 1, hash: hashes.at(-1) ?? previousHash };
    return {
      chain: log.chain,
      firstSeq: BigInt(firstSeq),
      previousHash,
      records,
      head: await audit.signHead(end),
    };
  };

  if (log.head.seq <= position) {
    // There is nothing new, or less than the asker has: the head shows it.
    const { seq, hash } = log.head;
    yield answer({ firstSeq: seq + 1, previousHash: hash, records: [], hashes: [] });
  }
  while (!signal.aborted) {
    for (const batch of log.read(position)) {
      if (signal.aborted) return;
      yield answer(batch);
      position = batch.firstSeq + batch.records.length - 1;
    }
    await log.waitFor(position, signal);
    await pause(PAUSE_MS, { signal });
  }
}
