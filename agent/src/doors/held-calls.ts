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
 * Bytes that the calls of one key may make the agent hold while it waits for a person, a queue or the disk.
 * An upload of a tree that is faster than the disk must fit: the SDK sends 4 large files at once, each with a
 * full window of 24 MiB and up to 4 MiB of messages, and 12 small ones of up to 7 MiB: 196 MiB.
 */
export const MAX_HELD_BYTES_PER_KEY = 224 * MiB;

/** The same for all calls together: the agent's memory budget for content. */
export const MAX_HELD_BYTES = 320 * MiB;

/**
 * Pause between two checks of the held bytes, in milliseconds. Content that arrives in a pause comes on top:
 * at worst 12 MiB from a relay at 1 Gbit/s, and 75 MiB from the local socket (750 MiB/s were measured). If
 * the process has no time to check, it has none to read either. Beyond that, a stream brings at most its
 * window.
 */
export const HELD_SAMPLE_INTERVAL_MS = 100;

/** The account for calls without a valid key. No key has this name. */
const STRANGERS = "no key";

type Door = Caller["door"];

/** The bounds. Defaults: the constants above; tests set others. */
export interface HeldCallsBounds {
  readonly perKey: number;
  readonly inAll: number;
}

/**
 * Limits the bytes that callers make the agent hold, at both doors. Unread content is dropped with its call:
 * first the largest call of the key that holds most. A request that is being carried out can't be taken back,
 * so a key with too many of those can begin no more until some are done.
 */
export class HeldCalls {
  readonly #identifier: Pick<Identifier, "remote" | "local">;
  readonly #bounds: HeldCallsBounds;
  readonly #held: HeldBytes;
  /** The calls whose handlers run, with the accounts that pay for them. */
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

  /** Watches a call of this door from its headers to its end. */
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
        // The handler may take a while to end, and holds its data until then.
        this.#held.hold(holder);
      },
    };
    this.#held.hold(holder);
    return {
      begin: () => {
        // Small requests run all the same: a key whose writes fill its share can still cancel and look.
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

  /**
   * True if this call, once begun, would make its key hold more than its share of data that can't be dropped.
   */
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
        ? `The calls of this key made the machine hold more than ${perKey / MiB} MiB of unread content; of those that could be ended, this one held most.`
        : `All calls together made the machine hold more than ${inAll / MiB} MiB of unread content; of the calls of this key that could be ended, this one held most.`;
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

/**
 * The account that pays for a call. The key is found out only when a call holds something, which most never
 * do.
 */
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
    // Until its signatures are verified, the call has an account of its own: a stranger's calls must not
    // count against the key that they name.
    Payer.#count += 1;
    const pending = `pending ${Payer.#count}`;
    this.#account = pending;
    const settle = (): void => {
      // Without a valid key the call is refused as soon as its first message is here.
      if (this.#account === pending) this.#account = STRANGERS;
    };
    this.#find().then(settle, settle);
    return this.#account;
  }
}
