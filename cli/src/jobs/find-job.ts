import { CmdopError, type JobInfo, type Terminal } from "@cmdop/sdk";

/** A whole job id. */
const JOB_ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** The shortest beginning of an id that is taken for one: with fewer characters a slip of the finger would find something. */
const MIN_PREFIX_CHARS = 4;

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
  if (text.length < MIN_PREFIX_CHARS) {
    throw new CmdopError("InvalidArgument", `${JSON.stringify(text)} is too short for a job's id.`, {
      next: `Give the id, or at least its first ${MIN_PREFIX_CHARS} characters: cmdop jobs --all shows it.`,
    });
  }
  return onlyMatch(await terminal.jobs(), text);
}

/** The only job whose id begins with the text. */
export function onlyMatch(jobs: readonly JobInfo[], text: string): JobInfo {
  const [only, ...others] = jobs.filter(({ jobId }) => jobId.startsWith(text));
  if (only === undefined) {
    throw new CmdopError(
      "JobUnknown",
      `No job that this key can see on the machine has an id that begins with ${text}.`,
      {
        next: "cmdop jobs --all lists them; a machine keeps them for a while after their end.",
      },
    );
  }
  if (others.length === 0) return only;
  const found = [only, ...others].map(({ jobId, command }) => `${jobId} (${command})`).join(", ");
  throw new CmdopError("InvalidArgument", `${text} is the beginning of several ids: ${found}.`, {
    next: "Give more of the id.",
  });
}
