import { createHash } from "node:crypto";
import { FILE_CHUNK_BYTES } from "@cmdop/proto";

/** What a write stream begins with. */
export interface WriteHeader {
  readonly path: string;
  readonly mode?: number;
  readonly createParents: boolean;
}

/** The messages of a write stream: header, pieces, and the finish without which nothing is committed. */
export async function* writeRequests(
  header: WriteHeader,
  content: Uint8Array | AsyncIterable<string | Uint8Array>,
) {
  const hash = createHash("sha256");
  let size = 0;
  yield { header };
  for await (const piece of content instanceof Uint8Array ? [content] : content) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    hash.update(bytes);
    size += bytes.length;
    for (let from = 0; from < bytes.length; from += FILE_CHUNK_BYTES) {
      yield { data: bytes.subarray(from, from + FILE_CHUNK_BYTES) };
    }
  }
  yield { finish: { size: BigInt(size), sha256: hash.digest() } };
}
