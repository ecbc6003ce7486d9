import type { CmdopError, ErrorCode, LaneName } from "@cmdop/proto";
import type { Log } from "../log.ts";

/**
 * Says of an outage what an operator wants to know, and not each attempt of each
 * lane: one line when the relay is out of reach, with the reason, another only
 * for a new reason, and one when all is well again. A link that was lost and is
 * back at once is one line, too.
 */
export class OutageLog {
  readonly #log: Log;
  readonly #down = new Set<LaneName>();
  readonly #told = new Set<ErrorCode>();
  #sinceMs: number | undefined;
  #wasUp = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** An attempt has failed, or a connection has ended. */
  failed(lane: LaneName, { code, message, next }: CmdopError): void {
    this.#log.debug?.("link attempt failed", { lane, code, error: message });
    const isFirst = this.#sinceMs === undefined;
    this.#sinceMs ??= performance.now();
    const wasDown = this.#down.has(lane);
    this.#down.add(lane);
    // The next attempt tells why, or that it is over.
    if (code === "LinkLost" && (isFirst || !wasDown)) return;
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#log.warn("link down", { code, error: message, next });
  }

  up(lane: LaneName): void {
    this.#log.debug?.("lane up", { lane });
    this.#down.delete(lane);
    if (this.#down.size > 0) return;
    const forMs = this.#sinceMs === undefined ? undefined : Math.round(performance.now() - this.#sinceMs);
    if (forMs !== undefined && this.#told.size === 0) this.#log.warn("link was down", { forMs });
    else if (forMs !== undefined) this.#log.info("link up", { downForMs: forMs });
    else if (!this.#wasUp) this.#log.info("link up");
    this.#wasUp = true;
    this.#sinceMs = undefined;
    this.#told.clear();
  }
}
