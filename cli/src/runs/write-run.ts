import { CollectedRun, describeEnd, RunError, type RunStreamEvent } from "@cmdop/sdk";
import { EXIT_OK, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { report } from "../console/output.ts";
import { EXIT_OURS, exitCodeOf } from "../jobs/exit-codes.ts";
import type { JobOutput } from "../jobs/job-output.ts";
import { answerText, RunProgress } from "./run-text.ts";

/** Options for writing a run's events. */
export interface WriteRunOptions {
  readonly runId: string;
  /** True follows the run to its end; false writes only the present events. */
  readonly follow: boolean;
  /** The only stream to write: stderr gets the progress, stdout the answer; default both. */
  readonly only?: "stdout" | "stderr" | undefined;
  /** True writes the events themselves to stdout, a line of JSON each. */
  readonly json?: boolean;
}

/**
 * Writes the progress of a run to stderr and its answer to stdout, as `cmdop run` does. Returns the exit
 * code.
 */
export async function writeRun(
  events: AsyncIterable<RunStreamEvent>,
  output: JobOutput,
  { runId, follow, only, json = false }: WriteRunOptions,
): Promise<number> {
  const collected = new CollectedRun(runId);
  const progress = new RunProgress();
  const isOver = untilNow(follow);
  for await (const event of events) {
    collected.add(event);
    if (json) await output.print(jsonLine(event));
    else if (only !== "stdout") process.stderr.write(progress.add(event));
    if (event.type === "ended") {
      const code = await writeEnd(collected, output, json ? "stderr" : only);
      return output.exitCodeIfUnread("The run has ended.") ?? (follow ? code : EXIT_OK);
    }
    if (output.unwritable.aborted || isOver(event)) break;
  }
  return output.exitCodeIfUnread("The job goes on.") ?? (follow ? EXIT_OURS : EXIT_OK);
}

/** Returns a function that is true once all events from before the stream's start have been read. */
function untilNow(follow: boolean): (event: RunStreamEvent) => boolean {
  let end: number | undefined;
  return (event) => {
    if (event.type === "started" && !follow) end = event.outputEnd;
    // The outcome follows the last event of a run at once.
    return end !== undefined && event.after >= end && event.type !== "end";
  };
}

/** Writes the answer, or the reason that there is none. Returns the exit code for it. */
async function writeEnd(
  collected: CollectedRun,
  output: JobOutput,
  only: "stdout" | "stderr" | undefined,
): Promise<number> {
  try {
    const result = collected.result();
    if (only !== "stderr") await output.print(answerText(result.output));
    return EXIT_OK;
  } catch (thrown) {
    if (!(thrown instanceof RunError)) throw thrown;
    const ended = { outcome: thrown.outcome, exitCode: null, signal: null, reason: "" };
    if (only !== "stdout") {
      report(`the run ${describeEnd(ended)}`);
      reportError(thrown);
    }
    return thrown.outcome === "completed" ? EXIT_OURS : exitCodeOf(ended);
  }
}
