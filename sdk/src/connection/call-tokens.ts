import { type ApiKey, CALL_TOKEN_LIFETIME_S, signCallToken } from "@cmdop/proto";

/** A token is replaced this long before its end, in seconds, so that it outlives the way to the machine. */
const RENEW_BEFORE_END_S = 10;

/** Machines whose tokens are kept; a fleet program uses a few thousand. */
const MAX_KEPT_TOKENS = 10_000;

/** Signs call tokens and reuses each until shortly before its end. */
export class CallTokens {
  readonly #apiKey: ApiKey;
  readonly #kept = new Map<string | null, { token: Promise<string>; renewAtMs: number }>();

  constructor(apiKey: ApiKey) {
    this.#apiKey = apiKey;
  }

  /** A token for one machine, or with null for the relay's own services. */
  for(machine: string | null): Promise<string> {
    const nowMs = Date.now();
    const kept = this.#kept.get(machine);
    if (kept !== undefined && nowMs < kept.renewAtMs) return kept.token;
    if (this.#kept.size >= MAX_KEPT_TOKENS) this.#kept.clear();
    const { key, relay } = this.#apiKey;
    const token = signCallToken({ relayId: relay.id, machine }, key, nowMs / 1000);
    const renewAtMs = nowMs + (CALL_TOKEN_LIFETIME_S - RENEW_BEFORE_END_S) * 1000;
    this.#kept.set(machine, { token, renewAtMs });
    return token;
  }
}
