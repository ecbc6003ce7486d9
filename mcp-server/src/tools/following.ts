import { within } from "@cmdop/kit";
import { dataMarker, printable, type TerminalText } from "@cmdop/proto";
import { describeEnd, type ExecEnd, type LinkLoss, type WaitingForApproval } from "@cmdop/sdk";
import { z } from "zod";
import type { FollowedJob } from "../follow-job.ts";
import { MAX_PROGRESS_LINE_CHARS } from "../limits.ts";
import { OwnError } from "../own-error.ts";
import { timeText } from "../time-text.ts";
import type { ToolAnswer, ToolContext } from "../tool.ts";
import { nameText, outOfReach } from "./out-of-reach.ts";

/** What is said of a command that is being followed. */
export const commandOutput = z.object({
  /** `unreachable`: the connection is lost, so nobody here knows whether it still runs. */
  status: z.enum(["done", "running", "unreachable"]),
  exitCode: z.int().nullable(),
  outcome: z.enum(["exited", "signaled", "timed_out", "canceled", "failed_to_start", "unknown"]).nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean(),
  binary: z.boolean(),
  durationMs: z.int(),
  /** What ran the line, where it was not sh. */
  shell: z.string().nullable(),
  jobId: z.string(),
  /** Offset behind the output in this answer: where terminal_wait goes on. */
  after: z.int(),
  machine: z.string().nullable(),
});
export type CommandOutput = z.output<typeof commandOutput>;

/** What a call follows. */
export interface Following {
  readonly jobId: string;
  readonly job: FollowedJob;
  readonly machine: string | undefined;
  /** Whether the command waits for a person, as far as the machine has said. */
  readonly waiting?: () => WaitingForApproval | undefined;
  /** Withdraws what this call began, where the machine did not even say within the wait that the job is there. */
  readonly withdraw?: () => void;
}

/** Follows a command for as long as a call may take; what it has come to then is the answer. */
export async function answerFollowing(
  { jobId, job, machine, waiting, withdraw }: Following,
  context: ToolContext,
): Promise<ToolAnswer<CommandOutput>> {
  const startedAtMs = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAtMs);
  const named = context.nameMachine(machine);
  const { end, approval } = await watched(
    { noun: "command", job, machine, waiting, withdraw },
    context,
    elapsedMs,
  );
  const loss = end === undefined ? job.loss : undefined;
  if (approval !== undefined)
    context.waitingJobs.keep(jobId, { job, waiting: () => approval }, context.report);
  else if (end === undefined) job.leave().catch(context.report);
  const name = await named;
  const structured: CommandOutput = {
    status: end !== undefined ? "done" : loss === undefined ? "running" : "unreachable",
    exitCode: end?.exitCode ?? null,
    outcome: end?.outcome ?? null,
    signal: end?.signal ?? null,
    reason: reasonOf(end, approval, loss, name),
    stdout: job.stdout.text(),
    stderr: job.stderr.text(),
    truncated: job.stdout.isCut || job.stderr.isCut || job.droppedBytes > 0,
    binary: job.stdout.isBinary || job.stderr.isBinary,
    durationMs: Math.round(end?.durationMs ?? elapsedMs()),
    shell: job.shell,
    jobId,
    after: job.after,
    machine: name,
  };
  return { text: [textOf(structured, job, end)], structured };
}

function reasonOf(
  end: ExecEnd | undefined,
  approval: WaitingForApproval | undefined,
  loss: LinkLoss | undefined,
  machine: string | null,
): string {
  if (loss !== undefined) return outOfReach("command", loss, machine);
  return approval === undefined ? (end?.reason ?? "") : waitingReason(approval);
}

/** Why what was asked for has not begun. */
export function waitingReason({ approvalId, expiresAtMs }: WaitingForApproval): string {
  const until = timeText(expiresAtMs);
  return `it waits for a person who may approve it (approval ${approvalId}), until ${until}`;
}

/** What a call waits for. */
interface Ending<End> {
  readonly end: Promise<End>;
  /** Something waits for the caller's word, and the wait is over. */
  readonly asked?: Promise<void>;
}

/** What any call follows: a command or a run. */
interface Watched<End> {
  /** What it is called. */
  readonly noun: string;
  readonly job: Pick<FollowedJob, "lastLine" | "hasStarted" | "loss"> & Ending<End>;
  readonly machine: string | undefined;
  readonly waiting: (() => WaitingForApproval | undefined) | undefined;
  readonly withdraw: (() => void) | undefined;
}

/**
 * Waits for as long as a call may take: the end, where it has come, or the
 * person that is waited for, where it has not begun.
 * @throws CmdopError OutcomeUnknown where the machine has said nothing at all
 */
export async function watched<End>(
  { noun, job, machine, waiting, withdraw }: Watched<End>,
  context: ToolContext,
  elapsedMs: () => number,
): Promise<{ end: End | undefined; approval: WaitingForApproval | undefined }> {
  const lost = (): string | undefined =>
    job.loss === undefined ? undefined : outOfReach(noun, job.loss, machine ?? null);
  const lastWord = (): string => lost() ?? job.lastLine(MAX_PROGRESS_LINE_CHARS);
  const stopProgress = reportProgress(lastWord, context, elapsedMs);
  const end = await endWithin(job, context).finally(stopProgress);
  if (end !== undefined || job.hasStarted) return { end, approval: undefined };
  const approval = waiting?.();
  if (approval !== undefined || context.gone.aborted) return { end, approval };
  withdraw?.();
  const state = withdraw
    ? `The ${noun} was withdrawn, but it may have begun: look before you repeat it.`
    : `The ${noun} may still go on: wait again later.`;
  const message = lost() ?? `The machine did not answer within ${elapsedMs()} ms.`;
  throw new OwnError("OutcomeUnknown", message, {
    next: `${state} machines_list shows whether the machine is online.`,
  });
}

/** The job's end, or undefined when the wait is over or the client is gone: then the job goes on by itself. */
async function endWithin<End>(job: Ending<End>, { timings, gone }: ToolContext): Promise<End | undefined> {
  const asked = job.asked?.then(() => undefined);
  const first = asked === undefined ? job.end : Promise.race([job.end, asked]);
  return within(first, timings.waitMs, { signal: gone });
}

/** Tells the client now and then how far the job is, until the returned function is called. */
function reportProgress(
  lastWord: () => string,
  { progress, timings }: ToolContext,
  elapsedMs: () => number,
): () => void {
  if (progress === undefined) return () => undefined;
  const timer = setInterval(() => {
    const seconds = elapsedMs() / 1000;
    const line = lastWord();
    progress(seconds, `${Math.round(seconds)} s${line === "" ? "" : `: ${printable(line)}`}`);
  }, timings.progressIntervalMs);
  return () => clearInterval(timer);
}

function textOf(answer: CommandOutput, job: FollowedJob, end: ExecEnd | undefined): string {
  const mark = dataMarker();
  const verdict = end === undefined ? verdictSoFar(answer, job) : endText("command", end, mark);
  const where = answer.machine === null ? "" : `machine ${nameText(answer.machine)}, `;
  const shell = answer.shell === null ? "" : `, ran by ${printable(answer.shell)}`;
  const dropped = job.droppedBytes > 0 ? [`[the machine dropped ${job.droppedBytes} bytes of output]`] : [];
  return [
    verdict,
    `[${where}job ${answer.jobId}${shell}, ${answer.durationMs} ms]`,
    ...dropped,
    section("stdout", job.stdout, mark(answer.stdout)),
    section("stderr", job.stderr, mark(answer.stderr)),
  ].join("\n");
}

/** The outcomes that say little without their reason. */
const NEED_A_REASON: ReadonlySet<string> = new Set(["canceled", "failed_to_start", "failed", "unknown"]);

/** How something ended, in our words; why, in the machine's. */
export function endText(
  noun: string,
  end: Parameters<typeof describeEnd>[0],
  mark: (text: string) => string = dataMarker(),
): string {
  const { outcome, reason, signal } = end;
  const how = describeEnd({ ...end, signal: signal === null ? null : printable(signal), reason: "" });
  const why = NEED_A_REASON.has(outcome) && reason !== "" ? `\n${mark(printable(reason))}` : "";
  return `The ${noun} ${how}.${why}`;
}

function verdictSoFar({ status, reason, after }: CommandOutput, { hasStarted }: FollowedJob): string {
  if (status === "unreachable") {
    return `${reason}. Do not start it again: machines_list shows whether the machine is back, then terminal_wait with after ${after} looks again and terminal_cancel ends it. Its output so far:`;
  }
  return hasStarted
    ? `The command is still running: it goes on without this call. terminal_wait with after ${after} looks again, terminal_cancel ends it. Its output so far:`
    : `The command has not begun: ${reason}. Do not start it again: terminal_wait looks again, terminal_cancel withdraws it.`;
}

function section(channel: string, { totalBytes, isBinary }: TerminalText, marked: string): string {
  if (totalBytes === 0) return `--- ${channel}: empty ---`;
  const binary = isBinary ? ", not UTF-8: redirect it to a file and use files_read for its bytes" : "";
  return `--- ${channel}: ${totalBytes} bytes${binary} ---\n${marked}`;
}
