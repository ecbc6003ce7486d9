import { TerminalText } from "@cmdop/proto";
import type { ExecEnd, ExecEvent } from "@cmdop/sdk";
import { MAX_OUTPUT_CHARS } from "./limits.ts";
import { OwnError } from "./own-error.ts";

/** A job that is being watched: what it has written so far, and its end. */
export interface FollowedJob {
  readonly stdout: TerminalText;
  readonly stderr: TerminalText;
  /** Whether the machine has said that the job runs. */
  readonly hasStarted: boolean;
  /** Bytes that the machine itself had dropped before they could be read. */
  readonly droppedBytes: bigint;
  /** The offset behind what has been read. */
  readonly after: bigint;
  /** The last line of whichever channel wrote last. */
  lastLine(maxChars: number): string;
  /** The job's end; rejects with what the stream threw. */
  readonly end: Promise<ExecEnd>;
  /** Stops watching. The job goes on. */
  leave(): Promise<void>;
}

/** Reads a job's events from now on, in bounded memory. `after`: the offset that they begin at. */
export function followJob(jobId: string, events: AsyncIterable<ExecEvent>, after = 0n): FollowedJob {
  const iterator = events[Symbol.asyncIterator]();
  const advice = (offset: number): string =>
    `terminal_wait with job_id ${jobId} and after ${offset} shows it`;
  const stdout = new TerminalText({ maxCharacters: MAX_OUTPUT_CHARS, advice });
  const stderr = new TerminalText({ maxCharacters: MAX_OUTPUT_CHARS, advice });
  let latest = stdout;
  let hasStarted = false;
  let droppedBytes = 0n;
  let readTo = after;

  const readToEnd = async (): Promise<ExecEnd> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const event = next.value;
      if (event.type === "ended") return event;
      hasStarted = true;
      if (event.type === "dropped") {
        droppedBytes += event.bytes;
        readTo += event.bytes;
      } else if (event.type !== "started") {
        readTo = event.offset + BigInt(event.data.length);
        latest = event.type === "stdout" ? stdout : stderr;
        latest.add(event.data, { offset: Number(event.offset) });
      }
    }
    throw new OwnError("OutcomeUnknown", "The machine's report broke off before the command's end.");
  };

  return {
    stdout,
    stderr,
    end: readToEnd(),
    get hasStarted() {
      return hasStarted;
    },
    get droppedBytes() {
      return droppedBytes;
    },
    get after() {
      return readTo;
    },
    lastLine: (maxChars) => latest.lastLine(maxChars),
    leave: async () => {
      await iterator.return?.();
    },
  };
}
