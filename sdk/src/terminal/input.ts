import { randomUUID } from "node:crypto";
import { Exec, INPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";

/**
 * Feeds a job's standard input from an iterable, to its end. Backpressure is the
 * job's own: the next piece is read from `source` when the last was taken.
 */
export async function feedInput(
  caller: MachineCaller,
  jobId: string,
  source: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const options = await caller.options("/cmdop.v1.Exec/Input", { signal });
  for await (const _accepted of caller.client(Exec).input(pieces(jobId, source), options)) {
    // The accepted offset is what a resumed input starts from; within one connection gRPC keeps the order.
  }
}

async function* pieces(jobId: string, source: AsyncIterable<string | Uint8Array>) {
  const writerId = randomUUID();
  let offset = 0n;
  for await (const piece of source) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    for (let from = 0; from < bytes.length; from += INPUT_CHUNK_BYTES) {
      const data = bytes.subarray(from, from + INPUT_CHUNK_BYTES);
      yield { jobId, writerId, offset, data };
      offset += BigInt(data.length);
    }
  }
  yield { jobId, writerId, offset, eof: true };
}
