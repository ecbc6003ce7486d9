import { CmdopError } from "@cmdop/proto";
import type { Journal } from "../journal/journal.ts";
import type { Screen, Text } from "./emulator.ts";
import { type AskedTerminal, emulators, type SizeChange } from "./emulators.ts";
import { checkSize, DEFAULT_SIZE, type TerminalSize } from "./request.ts";

/** What was shown, with the output of the journal up to an offset. */
type Shown<T> = T & { readonly offset: bigint };

/** Sizes that are remembered, for replays of the output: somebody drags a window for a whole minute. */
const MAX_SIZES = 1_000;

/** What a terminal asks of the session that it belongs to. */
interface Owner {
  resize(size: TerminalSize): void;
  /** Somebody looked. */
  asked(): void;
}

/** A session's terminal as one sees it, also after its end: what it shows comes from the journal. */
export class SessionTerminal {
  readonly #journal: Journal;
  readonly #keyId: string;
  #sizes: SizeChange[];
  #owner: Owner | undefined;

  /** `keyId`: the key that the session belongs to. Without an owner the session has ended. */
  constructor(journal: Journal, keyId: string, size: TerminalSize = DEFAULT_SIZE, owner?: Owner) {
    this.#journal = journal;
    this.#keyId = keyId;
    this.#sizes = [{ offset: 0n, size }];
    this.#owner = owner;
  }

  get size(): TerminalSize {
    return this.#sizes.at(-1)?.size ?? DEFAULT_SIZE;
  }

  /** The session has ended. */
  end(): void {
    this.#owner = undefined;
  }

  /** @throws CmdopError InvalidArgument, JobEnded */
  resize({ cols, rows }: TerminalSize): void {
    const size = { cols, rows };
    checkSize(size);
    if (this.#owner === undefined) {
      throw new CmdopError("JobEnded", "The session has ended: its terminal keeps its size.", {
        next: "Its screen and its history can still be read.",
      });
    }
    this.#owner.resize(size);
    const offset = this.#journal.end;
    const earlier = this.#sizes.filter((change) => change.offset < offset);
    this.#sizes = [...earlier.slice(1 - MAX_SIZES), { offset, size }];
  }

  /** What a person in front of it would see now. @throws CmdopError LimitExceeded, Canceled */
  screen(signal?: AbortSignal): Promise<Shown<Screen>> {
    this.#owner?.asked();
    return emulators.show(this.#asked(signal), (emulator, work) => emulator.screen(work));
  }

  /** The last lines that scrolled by, and the screen; 0 lines means all that are kept. @throws CmdopError LimitExceeded, Canceled */
  history(maxLines: number, signal?: AbortSignal): Promise<Shown<Text>> {
    this.#owner?.asked();
    return emulators.show(this.#asked(signal), async (emulator, work, cut) => {
      const { text, truncated } = await emulator.text(work, maxLines);
      return { text, truncated: truncated || cut };
    });
  }

  #asked(signal: AbortSignal | undefined): AskedTerminal {
    return { keyId: this.#keyId, journal: this.#journal, sizes: this.#sizes, signal };
  }
}
