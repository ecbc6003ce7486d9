export type { Command } from "./command.ts";
export type { Environment } from "./environment.ts";
export type { EventsOptions, Job, JobEvent, JobIdentity } from "./job.ts";
export { checkUuid, Jobs, type JobsOptions, type Requester } from "./jobs.ts";
export type { Channel } from "./journal-records.ts";
export { JOB_LIMITS, type JobLimits } from "./limits.ts";
export type { Outcome } from "./outcome.ts";
export { checkSignal } from "./process-group.ts";
