/** Between two places in a file that a reader can begin at, in bytes: one that follows the chain need not read a whole file for each record. */
const MARK_BYTES = 64 * 1024;

/** The end of a chain, or a place in it. */
export interface ChainEnd {
  /** Of the last record; 0 where there is none. */
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
  /** Places behind records; few, where the file was written before this start. */
  readonly marks: (ChainEnd & { readonly bytes: number })[];
}

/** Notes where the file's newest record ends, now and then. */
export function mark({ marks, headerBytes, bytes }: ChainFile, end: ChainEnd): void {
  if (bytes - (marks.at(-1)?.bytes ?? headerBytes) >= MARK_BYTES) marks.push({ ...end, bytes });
}

/** The last place in the file that is not behind `after`. */
export function startOf(
  { first, previous, headerBytes, marks }: ChainFile,
  after: number,
): ChainEnd & { readonly bytes: number } {
  return marks.findLast(({ seq }) => seq <= after) ?? { seq: first - 1, hash: previous, bytes: headerBytes };
}
