import { CmdopError } from "@cmdop/proto";
import { entryFile } from "../../entries.ts";
import { Holdings } from "../../shares/holdings.ts";
import { Shares } from "../../shares/shares.ts";
import { GaveUp, Thread } from "../../threads/thread.ts";
import type { Journal } from "../journal/journal.ts";
import { type Answer, isAnswer } from "./emulator-messages.ts";
import { RemoteEmulator, Work } from "./remote-emulator.ts";
import { DEFAULT_SIZE, type TerminalSize } from "./request.ts";

/** From an offset of the journal on, the terminal had this size. */
export interface SizeChange {
  readonly offset: bigint;
  readonly size: TerminalSize;
}

/** A terminal that somebody asks about. */
export interface AskedTerminal {
  /** The key that the session belongs to: it pays, since what it wrote is what takes time. */
  readonly keyId: string;
  readonly journal: Journal;
  readonly sizes: readonly SizeChange[];
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Looks at a terminal; `truncated` says that it has not seen everything. */
type Look<T> = (emulator: RemoteEmulator, work: Work, truncated: boolean) => Promise<T>;

/** Heap of the thread, most of it for what the emulators below hold. */
const HEAP_MIB = 256;

/** Emulators that are kept for the next question, up to some 15 MB each; the one of the key that has most which was asked longest ago goes first. */
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
  readonly keyId: string;
  emulator: RemoteEmulator;
  offset: bigint;
  /** Whether it has not seen everything from the beginning. */
  truncated: boolean;
  /** Bytes in which it waits for the next whole line. */
  skippable: number;
  cooling: NodeJS.Timeout | undefined;
}

const forever = new AbortController().signal;

/**
 * Shows what terminals look like. Output is only taken in when somebody asks, in
 * a thread of its own, one question at a time while keys take turns. A question
 * that takes too long costs the thread, with all emulators in it; what made it
 * take so long is passed over from then on.
 */
class Emulators {
  readonly #turns = new Shares({
    capacity: 1,
    what: "looks at terminals",
    next: "Try again a little later.",
  });
  /** The one that was asked longest ago first. */
  readonly #warm = new Map<Journal, Warm>();
  readonly #held = new Holdings();
  /** Where the output begins that is not passed over. */
  readonly #passedOver = new WeakMap<Journal, bigint>();
  #thread: Thread<Answer> | undefined;

  /**
   * What `look` sees when all output up to now has been taken in, and up to which
   * offset that is. @throws CmdopError LimitExceeded where that takes too long
   */
  async show<T extends object>(
    asked: AskedTerminal,
    look: Look<T>,
  ): Promise<T & { readonly offset: bigint }> {
    const { keyId, journal, signal = forever } = asked;
    using _ = await this.#turns.enter(keyId, signal);
    const thread = this.#thread ?? new Thread({ entry: entryFile("emulators"), heapMiB: HEAP_MIB, isAnswer });
    this.#thread = thread;
    const end = journal.end;
    try {
      return await this.#answer(asked, end, thread, look);
    } catch (thrown) {
      if (!(thrown instanceof GaveUp)) throw thrown;
      this.#passedOver.set(journal, end);
      await this.#lose(thread);
      throw tooLong(thrown);
    }
  }

  async #answer<T extends object>(
    { keyId, journal, sizes }: AskedTerminal,
    end: bigint,
    thread: Thread<Answer>,
    look: Look<T>,
  ): Promise<T & { readonly offset: bigint }> {
    const work = new Work(thread);
    const warm = this.#take(journal, end) ?? {
      keyId,
      ...(await begun(work, sizes, this.#firstOffset(journal, end))),
      cooling: undefined,
    };
    try {
      await feed(work, warm, thread, journal, sizes, end);
      const seen = { ...(await look(warm.emulator, work, warm.truncated)), offset: warm.offset };
      this.#keep(journal, warm);
      return seen;
    } catch (thrown) {
      warm.emulator.dispose(thread);
      throw thrown;
    }
  }

  /** The emulator that is kept, where it has not fallen too far behind. */
  #take(journal: Journal, end: bigint): Warm | undefined {
    const warm = this.#warm.get(journal);
    if (warm === undefined) return undefined;
    if (warm.offset < end - BigInt(MAX_REPLAY_BYTES)) {
      this.#drop(journal);
      return undefined;
    }
    this.#forget(journal, warm);
    return warm;
  }

  #firstOffset(journal: Journal, end: bigint): bigint {
    const candidates = [end - BigInt(MAX_REPLAY_BYTES), journal.start, this.#passedOver.get(journal) ?? 0n];
    return candidates.reduce((latest, offset) => (offset > latest ? offset : latest));
  }

  #keep(journal: Journal, warm: Warm): void {
    warm.cooling = setTimeout(() => this.#cool(journal), KEEP_WARM_MS).unref();
    this.#warm.set(journal, warm);
    this.#held.count(warm.keyId, 1);
    const [most] = this.#held.beyond(MAX_WARM);
    const [oldest] = [...this.#warm].find(([, { keyId }]) => keyId === most) ?? [];
    if (oldest !== undefined) this.#drop(oldest);
  }

  /** Nobody has asked for a while; the thread ends with its last emulator. */
  #cool(journal: Journal): void {
    this.#drop(journal);
    if (this.#warm.size > 0 || this.#turns.used > 0) return;
    void this.#thread?.end();
    this.#thread = undefined;
  }

  #drop(journal: Journal): void {
    const warm = this.#warm.get(journal);
    if (warm === undefined) return;
    this.#forget(journal, warm);
    if (this.#thread !== undefined) warm.emulator.dispose(this.#thread);
  }

  #forget(journal: Journal, warm: Warm): void {
    clearTimeout(warm.cooling);
    if (this.#warm.delete(journal)) this.#held.count(warm.keyId, -1);
  }

  async #lose(thread: Thread<Answer>): Promise<void> {
    for (const [journal, warm] of [...this.#warm]) this.#forget(journal, warm);
    this.#thread = undefined;
    await thread.end();
  }
}

function tooLong(why: GaveUp): CmdopError {
  return new CmdopError(
    "LimitExceeded",
    `What this terminal shows could not be worked out: what its programs have written ${why.message}.`,
    {
      cause: why,
      next: "Look again: it then shows what is written from now on. All of it can be read as it is, by attaching.",
    },
  );
}

/** For the whole process, since it is its memory that they share. */
export const emulators = new Emulators();

async function feed(
  work: Work,
  warm: Warm,
  thread: Thread<Answer>,
  journal: Journal,
  sizes: readonly SizeChange[],
  end: bigint,
): Promise<void> {
  using reader = journal.open(warm.offset, { holds: false });
  while (warm.offset < end) {
    const item = await reader.next();
    if (item === undefined) break;
    if (item.kind === "dropped") {
      warm.emulator.dispose(thread);
      Object.assign(warm, await begun(work, sizes, item.offset + item.bytes));
    } else await take(work, warm, item.bytes, sizes);
  }
  await adapt(work, warm, sizes);
}

/** Takes in bytes, at the sizes that the terminal had when they came. */
async function take(work: Work, warm: Warm, bytes: Uint8Array, sizes: readonly SizeChange[]): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) {
    await adapt(work, warm, sizes);
    const change = sizes.find(({ offset }) => offset > warm.offset);
    const length =
      change === undefined ? rest.length : Math.min(rest.length, Number(change.offset - warm.offset));
    const piece = rest.subarray(0, length);
    await warm.emulator.write(work, afterFirstLine(warm, piece));
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

async function adapt(work: Work, { emulator, offset }: Warm, sizes: readonly SizeChange[]): Promise<void> {
  const size = sizeAt(sizes, offset);
  if (emulator.size.cols !== size.cols || emulator.size.rows !== size.rows) await emulator.resize(work, size);
}

async function begun(
  work: Work,
  sizes: readonly SizeChange[],
  offset: bigint,
): Promise<Omit<Warm, "cooling" | "keyId">> {
  const cut = offset > 0n;
  return {
    emulator: await RemoteEmulator.open(work, sizeAt(sizes, offset)),
    offset,
    truncated: cut,
    skippable: cut ? MAX_SKIPPED_BYTES : 0,
  };
}

function sizeAt(sizes: readonly SizeChange[], offset: bigint): TerminalSize {
  return (sizes.findLast((change) => change.offset <= offset) ?? sizes[0])?.size ?? DEFAULT_SIZE;
}
