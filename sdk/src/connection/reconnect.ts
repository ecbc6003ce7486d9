import { CmdopError } from "@cmdop/proto";

/** Pauses between two attempts over a lost connection. */
export interface ReconnectOptions {
  /** The first pause, in milliseconds; 50 unless given. Each further one is longer. */
  readonly firstPauseMs?: number | undefined;
  /** The longest, in milliseconds; 2,000 unless given. */
  readonly maxPauseMs?: number | undefined;
}

/** The pauses, all of them given. */
export interface ReconnectPauses {
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
}

/** Short at first, since most losses are over at once; long enough in the end not to flood a relay that restarts. */
const DEFAULT_PAUSES: ReconnectPauses = { firstPauseMs: 50, maxPauseMs: 2_000 };

/** Longer pauses than this are a slip of the pen: the window of reconnecting is a minute. */
const LONGEST_PAUSE_MS = 60_000;

/**
 * The pauses of a client.
 * @throws CmdopError InvalidArgument
 */
export function reconnectPauses(options: ReconnectOptions = {}): ReconnectPauses {
  const firstPauseMs = options.firstPauseMs ?? DEFAULT_PAUSES.firstPauseMs;
  const maxPauseMs = Math.max(options.maxPauseMs ?? DEFAULT_PAUSES.maxPauseMs, firstPauseMs);
  for (const [name, value] of Object.entries({ firstPauseMs, maxPauseMs })) {
    if (value >= 1 && value <= LONGEST_PAUSE_MS) continue;
    throw new CmdopError(
      "InvalidArgument",
      `reconnect.${name} must be 1 to ${LONGEST_PAUSE_MS} milliseconds, not ${value}.`,
    );
  }
  return { firstPauseMs, maxPauseMs };
}
