import { cp, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { ChainLog, chainNext, type MachineAuditRecord, readAuditRecord } from "@cmdop/proto";

/** A machine's audit chain, as it is on its disk. */
export interface MachineChain {
  readonly chain: string;
  readonly seq: number;
  /** As base64url. */
  readonly hash: string;
  readonly records: readonly MachineAuditRecord[];
}

/** Reads the chain of a machine with this home, from a copy: the agent may be writing. Throws where it does not verify. */
export async function machineChain(home: string): Promise<MachineChain> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-chain-"));
  try {
    await cp(path.join(home, "agent", "audit"), directory, { recursive: true });
    const log = ChainLog.open({ directory });
    const records: MachineAuditRecord[] = [];
    for (const batch of log.read(0)) {
      let previous = batch.previousHash;
      for (const [at, body] of batch.records.entries()) {
        previous = chainNext(previous, body);
        if (Buffer.compare(previous, batch.hashes[at] ?? Buffer.alloc(0)) !== 0) {
          throw new Error(`record ${batch.firstSeq + at} does not follow the one before it`);
        }
        records.push(machineRecord(body));
      }
    }
    const { chain, head } = log;
    log.close();
    return { chain, seq: head.seq, hash: Buffer.from(head.hash).toString("base64url"), records };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function machineRecord(body: Uint8Array): MachineAuditRecord {
  const record = readAuditRecord(body, "machine");
  if (record === undefined) throw new Error(`no record: ${Buffer.from(body)}`);
  return record;
}
