/** Where the agent says what an operator should know: one event a call, never a secret. */
export interface Log {
  /** Single attempts and lanes: for whoever looks for a fault. A log without it keeps none. */
  debug?(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
