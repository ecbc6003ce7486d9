import os from "node:os";
import { CMDOPClient, describeEnd, type ExecEnd, type ExecOptions } from "@cmdop/sdk";
import { reportError } from "./exit.ts";
import { terminationSignal } from "./signals.ts";

/** cmdop itself failed, or nobody knows how the command ended: what ssh uses for the same. */
const EXIT_OURS = 255;

/** Runs a command on a machine with this process's standard streams; the exit code to end with. */
export async function runExec(
  machine: string,
  command: string | readonly string[],
  options: ExecOptions,
  passStdin: boolean,
): Promise<number> {
  // A reader that leaves (| head) ends the program, and the command with it.
  const pipeClosed = new AbortController();
  process.stdout.on("error", () => pipeClosed.abort());
  const signal = AbortSignal.any([terminationSignal(), pipeClosed.signal]);
  try {
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

function write(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.write(data, () => resolve()));
}
