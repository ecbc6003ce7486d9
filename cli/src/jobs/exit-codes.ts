import os from "node:os";
import type { JobEnd } from "@cmdop/sdk";
import { EXIT_FAILURE, EXIT_OK } from "../console/exit.ts";

/** cmdop itself failed, or nobody knows how the job ended: what ssh uses for the same. */
export const EXIT_OURS = 255;

/** Whoever read our output has gone (`| head`): what a shell makes of a program that SIGPIPE ended. */
export const EXIT_PIPE_CLOSED = 141;

/** The person left with Ctrl-C: what a shell makes of a program that SIGINT ended. */
export const EXIT_INTERRUPTED = 130;

/** The exit code that stands for how a job ended. */
export function exitCodeOf(end: Pick<JobEnd, "outcome" | "exitCode" | "signal">): number {
  switch (end.outcome) {
    case "exited":
      return end.exitCode ?? EXIT_OURS;
    case "completed":
      return EXIT_OK;
    case "failed":
      return EXIT_FAILURE;
    case "signaled":
      return exitCodeOfSignal(end.signal);
    case "timed_out":
      return 124;
    case "canceled":
      return EXIT_INTERRUPTED;
    case "failed_to_start":
      return 127;
    case "unknown":
      return EXIT_OURS;
  }
}

/** What a shell makes of a program that a signal ended: 128 + its number. */
export function exitCodeOfSignal(name: string | null): number {
  const found = Object.entries(os.constants.signals).find(([known]) => known === name);
  return 128 + (found?.[1] ?? 0);
}
