import { BoundedMap } from "@cmdop/kit";
import { type ApiKey, CALL_TOKEN_LIFETIME_S, signCallToken } from "@cmdop/proto";

/** A token is replaced this long before its end, in milliseconds, so that it outlives the way to the machine. */
const RENEW_BEFORE_END_MS = 10_000;

/** A clock that is corrected by more than this, in milliseconds, has jumped: what was signed by the old time may be refused by the new. */
const CLOCK_JUMP_MS = 2_000;

/** Machines whose tokens are kept; a fleet program uses a few thousand. */
const MAX_KEPT_TOKENS = 10_000;

interface KeptToken {
  readonly token: Promise<string>;
  /** By the monotonic clock, in milliseconds. */
  readonly renewAtMs: number;
  /** How far the system clock was ahead of the monotonic one, in milliseconds. */
  readonly clockAheadMs: number;
}

/** Signs call tokens and reuses each until shortly before its end, or until the clock that it was signed by has jumped. */
export class CallTokens {
  readonly #apiKey: ApiKey;
  readonly #kept = new BoundedMap<string | null, KeptToken>(MAX_KEPT_TOKENS);

  constructor(apiKey: ApiKey) {
    this.#apiKey = apiKey;
  }

  /** A token for one machine, or with null for the relay's own services. */
  for(machine: string | null): Promise<string> {
    const nowMs = performance.now();
    const wallMs = Date.now();
    const clockAheadMs = wallMs - nowMs;
    const kept = this.#kept.get(machine);
    const isOfThisTime = kept !== undefined && Math.abs(clockAheadMs - kept.clockAheadMs) < CLOCK_JUMP_MS;
    if (isOfThisTime && nowMs < kept.renewAtMs) return kept.token;
    const { key, relay } = this.#apiKey;
    const token = signCallToken({ relayId: relay.id, machine }, key, wallMs / 1000);
    const renewAtMs = nowMs + CALL_TOKEN_LIFETIME_S * 1000 - RENEW_BEFORE_END_MS;
    this.#kept.set(machine, { token, renewAtMs, clockAheadMs });
    return token;
  }

  /** One of them was refused as expired: the next calls sign anew. */
  forget(): void {
    this.#kept.clear();
  }
}
