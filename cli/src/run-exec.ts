import { fstatSync } from "node:fs";
import os from "node:os";
import { CMDOPClient, CmdopError, describeEnd, type ExecEnd, type ExecOptions } from "@cmdop/sdk";
import { reportError } from "./exit.ts";
import { terminationSignal } from "./signals.ts";

/** cmdop itself failed, or nobody knows how the command ended: what ssh uses for the same. */
const EXIT_OURS = 255;

/** Whoever read our output has gone (`| head`): what a shell makes of a program that SIGPIPE ended. */
const EXIT_PIPE_CLOSED = 141;

/** Runs a command on a machine with this process's standard streams; the exit code to end with. */
export async function runExec(
  machine: string,
  command: string | readonly string[],
  options: ExecOptions,
  passStdin: boolean,
): Promise<number> {
  // Output that can't be written ends the command: nobody would ever see the rest of it.
  const unwritable = new AbortController();
  let writeError: NodeJS.ErrnoException | undefined;
  for (const name of ["stdout", "stderr"] as const) {
    process[name].on("error", (error: NodeJS.ErrnoException) => {
      writeError ??= error;
      unwritable.abort();
    });
  }
  const signal = AbortSignal.any([terminationSignal(), unwritable.signal]);
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
    const events = client.machine(machine).terminal.stream(command, { ...options, stdin, signal });
    let end: ExecEnd | undefined;
    for await (const event of events) {
      if (event.type === "stdout" || event.type === "stderr") await write(process[event.type], event.data);
      if (event.type === "dropped")
        process.stderr.write(`cmdop: ${event.bytes} bytes of output were dropped\n`);
      if (event.type === "ended") end = event;
    }
    if (writeError?.code === "EPIPE") return EXIT_PIPE_CLOSED;
    if (writeError !== undefined) throw unwritten(writeError);
    if (end === undefined) return EXIT_OURS;
    if (end.outcome !== "exited") process.stderr.write(`cmdop: the command ${describeEnd(end)}\n`);
    return exitCodeOf(end);
  } catch (thrown) {
    reportError(thrown);
    return EXIT_OURS;
  } finally {
    // Standard input that nobody will read any more must not keep the program alive.
    process.stdin.destroy();
  }
}

/** The exit code that stands for an outcome. */
export function exitCodeOf(end: Pick<ExecEnd, "outcome" | "exitCode" | "signal">): number {
  switch (end.outcome) {
    case "exited":
      return end.exitCode ?? EXIT_OURS;
    case "signaled":
      return 128 + signalNumber(end.signal);
    case "timed_out":
      return 124;
    case "canceled":
      return 130;
    case "failed_to_start":
      return 127;
    case "unknown":
      return EXIT_OURS;
  }
}

function signalNumber(name: string | null): number {
  const found = Object.entries(os.constants.signals).find(([known]) => known === name);
  return found?.[1] ?? 0;
}

function unwritten(cause: NodeJS.ErrnoException): CmdopError {
  return new CmdopError("NoSpace", `The command's output could not be written here: ${cause.message}.`, {
    cause,
    next: "The command was canceled. Check where the output goes to: is that disk full?",
  });
}

/** Resolves when the bytes have been taken, or never will be: the stream's error says why. */
function write(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.write(data, () => resolve()));
}
