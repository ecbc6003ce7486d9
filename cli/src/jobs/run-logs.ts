import { CMDOPClient, type ExecEnd, type ExecEvent } from "@cmdop/sdk";
import { EXIT_OK, failedWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { onMachine } from "../machines/on-machine.ts";
import { writeRun } from "../runs/write-run.ts";
import { EXIT_OURS } from "./exit-codes.ts";
import { findJobOfAnyKind } from "./find-job.ts";
import { JobOutput } from "./job-output.ts";
import { linkMessages } from "./link-messages.ts";
import { agentOf, terminalOf } from "./machine-terminal.ts";
import { reportEnd, writeAll } from "./run-exec.ts";

/** Which part of a job's output to write. */
export interface LogsOptions {
  /** The journal offset to begin after. */
  readonly after: number;
  /** True: until the job's end. False: what there is now. */
  readonly follow: boolean;
  /** The channel to write; both unless given. */
  readonly only?: "stdout" | "stderr" | undefined;
  /** True: a line of JSON an event instead. */
  readonly json: boolean;
}

/** Writes a job's output to this process's own; the exit code to end with. Never touches the job. */
export async function runLogs(
  machine: string | undefined,
  job: string,
  { after, follow, only, json }: LogsOptions,
): Promise<number> {
  const output = new JobOutput();
  try {
    await using client = CMDOPClient.fromProfile();
    const { jobId, isRun, name } = await onMachine(client, machine, async (name) => ({
      ...(await findJobOfAnyKind(terminalOf(client, name), job)),
      name,
    }));
    if (isRun) {
      const agent = agentOf(client, name);
      const events = agent.resumeStream(jobId, { after, ...linkMessages(machine, "run") });
      return await writeRun(events, output, { runId: jobId, follow, only, json });
    }
    const events = terminalOf(client, name).resumeStream(jobId, { after, ...linkMessages(machine, "job") });
    const part = readable(events, output.unwritable, follow ? undefined : after, only);
    const end = await (json ? writeEvents(part, output) : writeAll(part, output));
    const exitCode = output.exitCodeIfUnread("The job goes on.");
    if (exitCode !== undefined) return exitCode;
    return follow ? reportEnd(machine, end) : EXIT_OK;
  } catch (thrown) {
    return failedWith(thrown, EXIT_OURS);
  }
}

/** Writes a job's events as lines of JSON until its end. Characters that were cut between two events are in the second. */
async function writeEvents(
  events: AsyncIterable<ExecEvent>,
  output: JobOutput,
): Promise<ExecEnd | undefined> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  for await (const event of events) {
    if (event.type === "stdout" || event.type === "stderr") {
      const { type, offset, data } = event;
      await output.print(jsonLine({ type, offset, text: decoders[type].decode(data, { stream: true }) }));
    } else await output.print(jsonLine(event));
    if (event.type === "ended") return event;
  }
  return undefined;
}

/**
 * The events that are asked for: of one channel where one is named, as long as they can
 * be written, and where `untilNowAfter` is given only what there was when the stream began.
 */
async function* readable(
  events: AsyncIterable<ExecEvent>,
  unwritable: AbortSignal,
  untilNowAfter: number | undefined,
  only: "stdout" | "stderr" | undefined,
): AsyncGenerator<ExecEvent, void, void> {
  let at = untilNowAfter ?? 0;
  let end: number | undefined;
  for await (const event of events) {
    if (event.type === "started" && untilNowAfter !== undefined) end = event.outputEnd;
    if (event.type === "stdout" || event.type === "stderr") {
      at = event.offset + event.data.length;
      if (only === undefined || event.type === only) yield event;
    } else yield event;
    if (event.type === "dropped") at = event.offset + event.bytes;
    if (unwritable.aborted || (end !== undefined && at >= end)) return;
  }
}
