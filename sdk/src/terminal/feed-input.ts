import { CmdopError } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { keepRunning } from "../connection/keep-running.ts";
import { RECONNECT_WINDOW_MS } from "./follow.ts";
import { InputWriter } from "./input-writer.ts";

/** What a job reads as its standard input. */
export interface FedInput {
  readonly jobId: string;
  readonly source: AsyncIterable<string | Uint8Array>;
  /** Whether the job reads end of file behind it. */
  readonly eof: boolean;
  readonly reconnectWindowMs: number | undefined;
  /** Ends the feeding. */
  readonly over: AbortSignal;
}

/**
 * Feeds a job's standard input from an iterable, to its end, at the job's pace
 * and over lost connections. Ends quietly when `over` aborts or the job has
 * ended; throws what the source throws.
 */
export async function feedInput(caller: MachineCaller, input: FedInput): Promise<void> {
  // As patient as whoever follows the job: without its input it could not end.
  const { jobId, source, eof, reconnectWindowMs = RECONNECT_WINDOW_MS, over } = input;
  // Every caller of a job sends the same input, so the job's id will do: a second Start of the job feeds nothing twice.
  const writer = new InputWriter(caller, { jobId, writerId: jobId, reconnectWindowMs, over });
  // Without its end the command could wait for ever: the program goes on until it is there.
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

/** Text as it travels. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}

/** Whether there was still somebody to take it. */
async function reaches(writing: Promise<unknown>, over: AbortSignal): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (thrown) {
    const error = CmdopError.from(thrown);
    // A job that has ended, or closed its input, takes no more: its outcome says all there is to say.
    if (over.aborted || error.code === "JobEnded" || error.code === "JobUnknown") return false;
    throw error;
  }
}
