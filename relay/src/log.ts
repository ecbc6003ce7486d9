/** The relay's log for the operator: one event a call, never a secret. */
export interface Log {
  /** Logs single attempts and lanes, for the search for a fault. A log without it omits them. */
  debug?(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Logs nothing. It is the default, because a library does not write to its host's output. */
export const SILENT_LOG: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
