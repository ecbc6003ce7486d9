import {
  CHAIN_HASH_BYTES,
  type ChainHead,
  CmdopError,
  chainNext,
  chainStart,
  MAX_AUDIT_RECORD_BYTES,
  type PublicKey,
  verifyHead,
} from "@cmdop/proto";
import { z } from "zod";

/**
 * Most records in one batch. Empty ones could make far more than a batch has bytes, and each costs a hash. An
 * agent's own limit is half of it.
 */
const MAX_BATCH_RECORDS = 4 * 1024;

/** A newline, which ends a record in a chain's file. */
const NEWLINE = 0x0a;

const hash = z
  .instanceof(Uint8Array)
  .refine((bytes) => bytes.length === CHAIN_HASH_BYTES, "expected 32 bytes");

const record = z
  .instanceof(Uint8Array)
  .refine((body) => body.length <= MAX_AUDIT_RECORD_BYTES, "a record is too long")
  .refine((body) => !body.includes(NEWLINE), "a record has more than one line");

const batchSchema = z.object({
  chain: z.uuid(),
  firstSeq: z.bigint().min(0n).max(BigInt(Number.MAX_SAFE_INTEGER)).transform(Number),
  previousHash: hash,
  records: z.array(record).max(MAX_BATCH_RECORDS),
  head: z.string(),
});

/** A consistent batch of a machine's chain: its records lead to the head that the machine has signed. */
export interface CheckedBatch {
  readonly chain: string;
  readonly firstSeq: number;
  readonly previousHash: Uint8Array;
  readonly records: Uint8Array[];
  readonly head: ChainHead;
  /** The signed statement of the head. */
  readonly statement: string;
}

/**
 * Checks that a batch is consistent in itself; the copy decides if the batch follows it.
 * @throws CmdopError AuditBroken
 */
export async function checkBatch(message: unknown, machineKey: PublicKey): Promise<CheckedBatch> {
  const checked = batchSchema.safeParse(message);
  if (!checked.success) throw broken(z.prettifyError(checked.error));
  const { head: statement, ...batch } = checked.data;
  const head = await verifyHead(statement, machineKey);
  if (head.chain !== batch.chain) throw broken("its head is of another chain");
  // A batch without records brings only a head, which is compared with the copy.
  if (batch.records.length === 0) return { ...batch, head, statement };
  if (batch.firstSeq < 1) throw broken("records count from 1");
  if (batch.firstSeq === 1 && Buffer.compare(batch.previousHash, chainStart(batch.chain)) !== 0) {
    throw broken("its first record is not chained to its beginning");
  }
  let last: Uint8Array = batch.previousHash;
  for (const body of batch.records) last = chainNext(last, body);
  const lastSeq = batch.firstSeq + batch.records.length - 1;
  if (head.seq !== lastSeq || head.hash !== Buffer.from(last).toString("base64url")) {
    throw broken(`its records end at ${lastSeq} with another hash than its head, which is at ${head.seq}`);
  }
  return { ...batch, head, statement };
}

function broken(why: string): CmdopError {
  return new CmdopError("AuditBroken", `A batch of a machine's audit chain is not consistent: ${why}.`);
}
