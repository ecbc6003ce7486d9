import { createHash } from "node:crypto";
import { FILE_CHUNK_BYTES } from "@cmdop/proto";

/** The first message of a write stream. */
export interface WriteHeader {
  readonly path: string;
  readonly mode?: number;
  readonly parents: boolean;
  readonly ifMatch?: Uint8Array;
  readonly ifAbsent?: boolean;
}

/**
 * Yields the messages of a write stream: header, pieces, and the finish, without which nothing is committed.
 * Sets `progress.finishing` when the finish may have been sent.
 */
export async function* writeRequests(
  header: WriteHeader,
  content: Uint8Array | AsyncIterable<string | Uint8Array>,
  progress: { finishing: boolean },
) {
  const hash = createHash("sha256");
  let size = 0;
  yield { header };
  for await (const data of pieces(content, FILE_CHUNK_BYTES)) {
    hash.update(data);
    size += data.length;
    yield { data };
  }
  progress.finishing = true;
  yield { finish: { size: BigInt(size), sha256: hash.digest() } };
}

/** Yields content in pieces of at most `maxBytes`. */
export async function* pieces(
  content: Uint8Array | AsyncIterable<string | Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content instanceof Uint8Array ? [content] : content) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    for (let from = 0; from < bytes.length; from += maxBytes) yield bytes.subarray(from, from + maxBytes);
  }
}
