import { pause } from "@cmdop/kit";
import type { ChainBatch } from "@cmdop/proto";
import type { MachineAudit } from "./machine-audit.ts";

/**
 * Between two batches that follow the chain as it grows, in milliseconds: each
 * batch is signed here, verified and written there, and under load there would
 * be one for every record. What the relay does not have yet is the machine's
 * alone to lose.
 */
const PAUSE_MS = 200;

/** An answer of `Link/Audit`. */
interface AuditAnswer {
  readonly chain: string;
  readonly firstSeq: bigint;
  readonly previousHash: Uint8Array;
  readonly records: Uint8Array[];
  readonly head: string;
}

/**
 * The machine's chain from where the asker's copy stops, and on as it grows,
 * until `signal` aborts. Each answer ends with a head that the machine signs
 * for it. Whoever asks for another chain is given this one from its beginning.
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
    // Nothing new, or less than the asker has: the head says so.
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
