import { CmdopError, RECONNECT_WINDOW_MS } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { keepRunning } from "../connection/keep-running.ts";
import { InputWriter } from "./input-writer.ts";

/** The standard input for a job. */
export interface FedInput {
  readonly jobId: string;
  readonly source: AsyncIterable<string | Uint8Array>;
  /** True sends end of file behind it. */
  readonly eof: boolean;
  readonly reconnectWindowMs: number | undefined;
  /** Ends the sending of input. */
  readonly over: AbortSignal;
}

/**
 * Sends an iterable to a job's standard input, to its end, at the job's pace and across lost connections.
 * Returns quietly when `over` aborts or the job has ended; throws the errors of the source.
 */
export async function feedInput(caller: MachineCaller, input: FedInput): Promise<void> {
  // The window is as long as for following the job, because without its input the job could not end.
  const { jobId, source, eof, reconnectWindowMs = RECONNECT_WINDOW_MS, over } = input;
  // Every caller of a job sends the same input, so the job's id serves as the writer's id: a second Start of
  // the job sends nothing twice.
  const writer = new InputWriter(caller, { jobId, writerId: jobId, reconnectWindowMs, over });
  // This keeps the program running until the end of the input is sent, because without it the command could
  // wait for ever.
  const letGo = keepRunning();
  try {
    for await (const piece of source) {
      if (over.aborted || !(await reaches(writer.queue(bytesOf(piece)), over))) return;
    }
    await reaches(writer.write(new Uint8Array(), eof), over);
  } finally {
    letGo();
  }
}

/** Encodes text as UTF-8; returns bytes as they are. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}

/** Returns true if the job has accepted the input, false if it takes no more. */
async function reaches(writing: Promise<unknown>, over: AbortSignal): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (thrown) {
    const error = CmdopError.from(thrown);
    // A job that has ended, or closed its input, takes no more; its outcome says the rest.
    if (over.aborted || error.code === "JobEnded" || error.code === "JobUnknown") return false;
    throw error;
  }
}
