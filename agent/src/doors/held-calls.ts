import {
  type Bound,
  CmdopError,
  HeldBytes,
  type Holder,
  MAX_SMALL_BYTES,
  type ServedCall,
  type Watch,
} from "@cmdop/proto";
import type { Caller } from "../policy/caller.ts";
import type { Identifier } from "./identify.ts";

const MiB = 1024 * 1024;

/**
 * Content that the calls of one key may make the agent hold, while it waits for
 * a person, a queue or the disk. A tree that comes faster than the disk takes it
 * must fit: the SDK sends 4 large files at once, a full window of 24 MiB and up
 * to 4 MiB of messages each, beside 12 small ones of up to 7 MiB: 196 MiB.
 */
export const MAX_HELD_BYTES_PER_KEY = 224 * MiB;

/** The same of all calls together: the named memory budget. */
export const MAX_HELD_BYTES = 320 * MiB;

/**
 * Pause between two looks at what is held, in milliseconds. What comes meanwhile
 * is on top: at worst 12 MiB from a relay at 1 Gbit/s, and 75 MiB from the local
 * socket (750 MiB/s were measured). Where the process itself has no time to look,
 * it has none to read either. For all else a stream brings at most its window.
 */
export const HELD_SAMPLE_INTERVAL_MS = 100;

/** Pays for the calls that show no good key. No key is named like this. */
const STRANGERS = "no key";

type Door = Caller["door"];

/** The bounds; the named limits unless a test says otherwise. */
export interface HeldCallsBounds {
  readonly perKey: number;
  readonly inAll: number;
}

/**
 * Bounds what callers make the agent hold, at both doors. Unread content is
 * dropped with its call, the largest of whoever holds most first; a request that
 * is being carried out can't be taken back, so a key that has too many of those
 * gets no more begun until some are done.
 */
export class HeldCalls {
  readonly #identifier: Pick<Identifier, "remote" | "local">;
  readonly #bounds: HeldCallsBounds;
  readonly #held: HeldBytes;
  /** The calls whose handlers run, and who pays for them. */
  readonly #running = new Map<ServedCall, Payer>();

  constructor(identifier: Pick<Identifier, "remote" | "local">, bounds: Partial<HeldCallsBounds> = {}) {
    this.#identifier = identifier;
    this.#bounds = { perKey: MAX_HELD_BYTES_PER_KEY, inAll: MAX_HELD_BYTES, ...bounds };
    this.#held = new HeldBytes({
      perAccount: this.#bounds.perKey,
      inAll: this.#bounds.inAll,
      sampleIntervalMs: HELD_SAMPLE_INTERVAL_MS,
    });
  }

  /** Watches a call of this door from its headers to the last of it. */
  watch(door: Door, call: ServedCall): Watch {
    const payer = new Payer(door, call, this.#identifier);
    const holder: Holder = {
      get account() {
        return payer.account;
      },
      heldBytes: () => call.heldBytes(),
      canBeDropped: () => call.canBeDropped(),
      drop: (bound) => {
        call.drop(this.#tooMuch(bound));
        // Its handler may take a while to end, and holds what it works on until then.
        this.#held.hold(holder);
      },
    };
    this.#held.hold(holder);
    return {
      begin: () => {
        // What is small runs all the same: a key whose writes fill its share can still cancel and look.
        if (call.heldBytes() > MAX_SMALL_BYTES && this.#isTooMuch(call, payer)) throw this.#full();
        this.#running.set(call, payer);
      },
      end: () => {
        this.#running.delete(call);
        this.#held.release(holder);
      },
    };
  }

  close(): void {
    this.#held.close();
    this.#running.clear();
  }

  /** Whether this call would, once begun, make its key hold more than its share of what can't be dropped. */
  #isTooMuch(call: ServedCall, { account }: Payer): boolean {
    if (this.#held.isFull(account)) return true;
    let bytes = call.keptBytes();
    if (bytes <= MAX_SMALL_BYTES) return false;
    for (const [running, payer] of this.#running) {
      const kept = running.keptBytes();
      if (kept > 0 && payer.account === account) bytes += kept;
    }
    return bytes > this.#bounds.perKey;
  }

  #tooMuch(bound: Bound): CmdopError {
    const { perKey, inAll } = this.#bounds;
    const message =
      bound === "perAccount"
        ? `The calls of this key made the machine hold more than ${perKey / MiB} MiB that nobody has read yet; of what could be ended, this one held most.`
        : `All calls together made the machine hold more than ${inAll / MiB} MiB that nobody has read yet; of those of this key that could be ended, this one held most.`;
    return new CmdopError("LimitExceeded", `${message} It waited for a person, a queue or a slow disk.`, {
      next: "Send it again when fewer uploads are under way; those that wait for a person should not begin before the answer.",
    });
  }

  #full(): CmdopError {
    return new CmdopError(
      "LimitExceeded",
      `The requests of this key that the machine is carrying out fill its share of ${this.#bounds.perKey / MiB} MiB.`,
      { next: "Send fewer of them at once, or try again when some are done." },
    );
  }
}

/** Whose call it is. Found out only when somebody asks, which is when it holds something: most calls never do. */
class Payer {
  static #count = 0;
  readonly #find: () => Promise<unknown>;
  #account: string | undefined;

  constructor(door: Door, call: ServedCall, identifier: Pick<Identifier, "remote" | "local">) {
    this.#find = () =>
      identifier[door === "relay" ? "remote" : "local"](call, (keyId) => {
        this.#account = keyId;
      });
  }

  get account(): string {
    if (this.#account !== undefined) return this.#account;
    // While signatures are verified it pays for itself: a stranger's calls must not cost it its own.
    Payer.#count += 1;
    const pending = `pending ${Payer.#count}`;
    this.#account = pending;
    const settle = (): void => {
      // It is refused as soon as its first message is here.
      if (this.#account === pending) this.#account = STRANGERS;
    };
    this.#find().then(settle, settle);
    return this.#account;
  }
}
