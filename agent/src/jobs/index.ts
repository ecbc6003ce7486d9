export type { Command } from "./exec/command.ts";
export type { EventsOptions, Job, JobEvent, JobIdentity, JobKind } from "./job.ts";
export { checkUuid, type JobRules, Jobs, type JobsOptions, type Requester, type RunTask } from "./jobs.ts";
export type { Channel } from "./journal/journal-records.ts";
export { JOB_LIMITS, type JobLimits } from "./limits.ts";
export type { Outcome } from "./outcome.ts";
export type { Environment } from "./process/environment.ts";
export { checkSignal } from "./process/process-group.ts";
export { DEFAULT_SIZE, type SessionRequest, type TerminalSize } from "./session/request.ts";
