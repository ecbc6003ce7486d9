import { CmdopError, type JobInfo, type Terminal } from "@cmdop/sdk";
import { meant } from "../console/meant.ts";

const SOUGHT = {
  noun: "job",
  none: "No job that this key can see on the machine has an id that begins with",
  listedBy: "cmdop jobs --all",
  gone: "A machine keeps jobs for a while after their end.",
  unknown: "JobUnknown",
  ambiguous: "Ambiguous",
} as const;

/** A whole job id. */
const JOB_ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** The id that a person means: a whole one as it is, otherwise the only job whose id begins so. */
export async function findJobId(terminal: Terminal, text: string): Promise<string> {
  return JOB_ID.test(text) ? text : (await findJob(terminal, text)).jobId;
}

/**
 * A job's id as `findJobId` has it, and whether it is an agent's run. A key without
 * the scope terminal sees no list of jobs: what it names by its whole id is a run.
 */
export async function findJobOfAnyKind(
  terminal: Terminal,
  text: string,
): Promise<{ jobId: string; isRun: boolean }> {
  if (!JOB_ID.test(text)) {
    const { jobId, kind } = await findJob(terminal, text);
    return { jobId, isRun: kind === "run" };
  }
  try {
    const jobs = await terminal.jobs({ kind: "run" });
    return { jobId: text, isRun: jobs.some(({ jobId }) => jobId === text) };
  } catch (thrown) {
    if (!(thrown instanceof CmdopError) || thrown.code !== "PermissionDenied") throw thrown;
    return { jobId: text, isRun: true };
  }
}

/** The job that a person means by its id or the beginning of it. */
export async function findJob(terminal: Terminal, text: string): Promise<JobInfo> {
  return onlyMatch(await terminal.jobs(), text);
}

/** The only job whose id begins with the text. @throws CmdopError JobUnknown, Ambiguous, InvalidArgument */
export function onlyMatch(jobs: readonly JobInfo[], text: string): JobInfo {
  const among = jobs.map((job) => ({ id: job.jobId, about: job.command, job }));
  return meant(text, among, SOUGHT).job;
}
