export type { AuditBounds } from "./audit/bounds.ts";
export type { BudgetBounds } from "./data/budget.ts";
export type { LoginBounds } from "./data/failed-logins.ts";
export { DEFAULT_TIMES, type Times } from "./data/limits.ts";
export type { Log } from "./log.ts";
export { Relay, type RelayOptions } from "./relay.ts";
