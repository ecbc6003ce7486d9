/** Where the relay says what an operator should know: one event a call, never a secret. */
export interface Log {
  /** Single attempts and lanes: for whoever looks for a fault. A log without it keeps none. */
  debug?(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing: the default, because a library does not write to its host's output. */
export const SILENT_LOG: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
