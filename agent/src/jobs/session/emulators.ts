import type { Journal } from "../journal/journal.ts";
import { Emulator } from "./emulator.ts";
import { DEFAULT_SIZE, type TerminalSize } from "./request.ts";

/** From an offset of the journal on, the terminal had this size. */
export interface SizeChange {
  readonly offset: bigint;
  readonly size: TerminalSize;
}

/** Emulators that are kept for the next question, up to some 15 MB each; the one that was asked longest ago goes first. */
const MAX_WARM = 8;

/** How long one is kept after a question: whoever watches a screen asks again and again. */
const KEEP_WARM_MS = 60_000;

/** Output before the question that is looked at, where no emulator has seen it yet: some 0.2 s of work. */
const MAX_REPLAY_BYTES = 4 * 1024 * 1024;

/** A replay that does not begin at the beginning begins with a whole line; without one in so many bytes, anywhere: full-screen programs write no lines. */
const MAX_SKIPPED_BYTES = 64 * 1024;
const LINE_FEED = 10;

/** An emulator, and how far it has read. */
interface Warm {
  emulator: Emulator;
  offset: bigint;
  /** Whether it has not seen everything from the beginning. */
  truncated: boolean;
  /** Bytes in which it waits for the next whole line. */
  skippable: number;
  cooling: NodeJS.Timeout | undefined;
}

/**
 * Shows what terminals look like. Output is only taken in when somebody asks.
 * One question at a time, since all share one thread and its memory; output is
 * taken in pieces, between which others get their turn.
 */
class Emulators {
  /** The one that was asked longest ago first. */
  readonly #warm = new Map<Journal, Warm>();
  #turn: Promise<unknown> = Promise.resolve();

  /** What `look` sees when all output up to now has been taken in, and up to which offset that is. */
  show<T extends object>(
    journal: Journal,
    sizes: readonly SizeChange[],
    look: (emulator: Emulator, truncated: boolean) => T,
  ): Promise<T & { readonly offset: bigint }> {
    const answer = this.#turn.then(async () => {
      const end = journal.end;
      const warm = await this.#take(journal, sizes, end);
      await feed(warm, journal, sizes, end);
      const seen = { ...look(warm.emulator, warm.truncated), offset: warm.offset };
      this.#keep(journal, warm);
      return seen;
    });
    // A failure is its asker's.
    this.#turn = Promise.allSettled([answer]);
    return answer;
  }

  async #take(journal: Journal, sizes: readonly SizeChange[], end: bigint): Promise<Warm> {
    const warm = this.#warm.get(journal);
    clearTimeout(warm?.cooling);
    this.#warm.delete(journal);
    const earliest = end - BigInt(MAX_REPLAY_BYTES);
    if (warm !== undefined && warm.offset >= earliest) return warm;
    warm?.emulator.dispose();
    const from = earliest > journal.start ? earliest : journal.start;
    return { ...(await begun(sizes, from)), cooling: undefined };
  }

  #keep(journal: Journal, warm: Warm): void {
    warm.cooling = setTimeout(() => this.#drop(journal), KEEP_WARM_MS).unref();
    this.#warm.set(journal, warm);
    const [oldest] = this.#warm.keys();
    if (this.#warm.size > MAX_WARM && oldest !== undefined) this.#drop(oldest);
  }

  #drop(journal: Journal): void {
    const warm = this.#warm.get(journal);
    this.#warm.delete(journal);
    clearTimeout(warm?.cooling);
    warm?.emulator.dispose();
  }
}

/** For the whole process, since it is its memory and its thread that they share. */
export const emulators = new Emulators();

async function feed(warm: Warm, journal: Journal, sizes: readonly SizeChange[], end: bigint): Promise<void> {
  using reader = journal.open(warm.offset, { holds: false });
  while (warm.offset < end) {
    const item = await reader.next();
    if (item === undefined) break;
    if (item.kind === "dropped") {
      warm.emulator.dispose();
      Object.assign(warm, await begun(sizes, item.offset + item.bytes));
    } else await take(warm, item.bytes, sizes);
  }
  adapt(warm, sizes);
}

/** Takes in bytes, at the sizes that the terminal had when they came. */
async function take(warm: Warm, bytes: Uint8Array, sizes: readonly SizeChange[]): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) {
    adapt(warm, sizes);
    const change = sizes.find(({ offset }) => offset > warm.offset);
    const length =
      change === undefined ? rest.length : Math.min(rest.length, Number(change.offset - warm.offset));
    const piece = rest.subarray(0, length);
    await warm.emulator.write(afterFirstLine(warm, piece));
    warm.offset += BigInt(length);
    rest = rest.subarray(length);
  }
}

function afterFirstLine(warm: Warm, bytes: Uint8Array): Uint8Array {
  if (warm.skippable === 0) return bytes;
  const at = bytes.subarray(0, warm.skippable).indexOf(LINE_FEED);
  const skipped = at >= 0 ? at + 1 : Math.min(bytes.length, warm.skippable);
  warm.skippable = at >= 0 ? 0 : warm.skippable - skipped;
  return bytes.subarray(skipped);
}

function adapt({ emulator, offset }: Warm, sizes: readonly SizeChange[]): void {
  const size = sizeAt(sizes, offset);
  if (emulator.size.cols !== size.cols || emulator.size.rows !== size.rows) emulator.resize(size);
}

async function begun(sizes: readonly SizeChange[], offset: bigint): Promise<Omit<Warm, "cooling">> {
  const cut = offset > 0n;
  return {
    emulator: await Emulator.open(sizeAt(sizes, offset)),
    offset,
    truncated: cut,
    skippable: cut ? MAX_SKIPPED_BYTES : 0,
  };
}

function sizeAt(sizes: readonly SizeChange[], offset: bigint): TerminalSize {
  return (sizes.findLast((change) => change.offset <= offset) ?? sizes[0])?.size ?? DEFAULT_SIZE;
}
