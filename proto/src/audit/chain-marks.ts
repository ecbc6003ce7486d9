/**
 * Distance of two marks in a file, in bytes. A reader that follows the chain starts at a mark, and need not
 * read the whole file for each record.
 */
const MARK_BYTES = 64 * 1024;

/** The end of a chain, or another position in it. */
export interface ChainEnd {
  /** Seq of the last record; 0 if there is none. */
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** One file of a chain. */
export interface ChainFile {
  readonly path: string;
  readonly first: number;
  readonly previous: Uint8Array;
  readonly headerBytes: number;
  last: number;
  bytes: number;
  /** Marks after records; few if the file was written before this start. */
  readonly marks: (ChainEnd & { readonly bytes: number })[];
}

/** Adds a mark after the file's newest record, at intervals. */
export function mark({ marks, headerBytes, bytes }: ChainFile, end: ChainEnd): void {
  if (bytes - (marks.at(-1)?.bytes ?? headerBytes) >= MARK_BYTES) marks.push({ ...end, bytes });
}

/** Returns the last mark in the file that is not after `after`. */
export function startOf(
  { first, previous, headerBytes, marks }: ChainFile,
  after: number,
): ChainEnd & { readonly bytes: number } {
  return marks.findLast(({ seq }) => seq <= after) ?? { seq: first - 1, hash: previous, bytes: headerBytes };
}
