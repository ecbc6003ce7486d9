import { fstatSync } from "node:fs";
import {
  CMDOPClient,
  CmdopError,
  describeEnd,
  type ExecCommand,
  type ExecEnd,
  type ExecEvent,
  type ExecOptions,
  type ExecResult,
} from "@cmdop/sdk";
import { EXIT_OK, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { report } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { terminationSignal } from "../console/signals.ts";
import { onMachine } from "../machines/on-machine.ts";
import { EXIT_OURS, exitCodeOf } from "./exit-codes.ts";
import { JobOutput } from "./job-output.ts";
import { linkMessages } from "./link-messages.ts";
import { commandFor, terminalOf } from "./machine-terminal.ts";
import { waitingMessage } from "./waiting-message.ts";

/** How a command's streams are carried. */
export interface ExecStreams {
  /** Whether it gets this process's standard input. */
  readonly passStdin: boolean;
  /** True: one line with all that there is to know at its end, instead of its output. */
  readonly json: boolean;
}

/** Runs a command on a machine with this process's standard streams; the exit code to end with. */
export async function runExec(
  machine: string,
  command: ExecCommand,
  options: ExecOptions,
  { passStdin, json }: ExecStreams,
): Promise<number> {
  const output = new JobOutput();
  // Output that can't be written ends the command: nobody would ever see the rest of it.
  const signal = AbortSignal.any([terminationSignal(), output.unwritable]);
  try {
    // Node takes a directory for an empty input; for the command that would be a clean end of file.
    if (passStdin && fstatSync(0).isDirectory()) {
      throw new CmdopError(
        "IsADirectory",
        "Standard input is a directory (EISDIR): there is nothing to pass on.",
      );
    }
    await using client = CMDOPClient.fromProfile();
    const stdin = passStdin && !process.stdin.isTTY ? process.stdin : undefined;
    const all = {
      ...options,
      stdin,
      signal,
      ...linkMessages(machine, "command"),
      onWaiting: waitingMessage(),
    };
    const end = await onMachine(client, machine, async (name) => {
      const terminal = terminalOf(client, name);
      return json
        ? await printResult(await terminal.execute(command, all), output)
        : await writeAll(terminal.stream(command, all), output);
    });
    return output.exitCodeIfUnread("The command was canceled.") ?? reportEnd(machine, end);
  } catch (thrown) {
    reportError(thrown);
    return EXIT_OURS;
  } finally {
    // Standard input that nobody will read any more must not keep the program alive.
    process.stdin.destroy();
  }
}

/** Starts a command, prints its job id and leaves it running; the exit code to end with. */
export async function runDetached(
  machine: string,
  command: ExecCommand,
  options: ExecOptions,
  json: boolean,
): Promise<number> {
  try {
    await using client = CMDOPClient.fromProfile();
    const waiting = { ...options, onWaiting: waitingMessage() };
    return await onMachine(client, machine, (name) =>
      leaveRunning(machine, terminalOf(client, name).stream(command, waiting), json),
    );
  } catch (thrown) {
    reportError(thrown);
    return EXIT_OURS;
  }
}

async function leaveRunning(
  machine: string,
  events: AsyncIterable<ExecEvent>,
  json: boolean,
): Promise<number> {
  for await (const event of events) {
    // A job that has no process any more has ended: how, comes behind.
    const hasStarted = event.type === "started" && event.pid !== 0;
    const hasRun =
      event.type === "ended" && event.outcome !== "failed_to_start" && event.outcome !== "unknown";
    if (hasStarted || hasRun) {
      process.stdout.write(json ? jsonLine({ jobId: event.jobId }) : `${event.jobId}\n`);
      return EXIT_OK;
    }
    if (event.type === "ended") return reportEnd(machine, event);
  }
  return EXIT_OURS;
}

/** Prints a result without what of it JSON can't hold: bytes. */
async function printResult(result: ExecResult, output: JobOutput): Promise<ExecEnd> {
  const { status: _status, stdoutBytes: _stdout, stderrBytes: _stderr, ...rest } = result;
  await output.print(jsonLine(rest));
  return result;
}

/** Writes a job's output until its end. */
export async function writeAll(
  events: AsyncIterable<ExecEvent>,
  output: JobOutput,
): Promise<ExecEnd | undefined> {
  for await (const event of events) {
    await output.write(event);
    if (event.type === "ended") return event;
  }
  return undefined;
}

/** Says how a job ended where its exit code does not, and returns the exit code that stands for it. */
export function reportEnd(machine: string | undefined, end: ExecEnd | undefined): number {
  if (end === undefined) return EXIT_OURS;
  if (end.outcome !== "exited") report(`the command ${printable(describeEnd(end))}`);
  if (end.outcome === "unknown") {
    const look = commandFor("logs --follow", machine, end.jobId);
    report(`its job is ${end.jobId}; to look again: ${look}`);
  }
  return exitCodeOf(end);
}
