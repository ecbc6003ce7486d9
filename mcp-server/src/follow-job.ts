import { TerminalText } from "@cmdop/proto";
import { type ExecEnd, type ExecEvent, type LinkLoss, LinkWatch } from "@cmdop/sdk";
import { MAX_OUTPUT_CHARS } from "./limits.ts";
import { OwnError } from "./own-error.ts";

/** A job that is being watched: what it has written so far, and its end. */
export interface FollowedJob {
  readonly stdout: TerminalText;
  readonly stderr: TerminalText;
  /** Whether the machine has said that the job runs. */
  readonly hasStarted: boolean;
  /** What is known of the connection, where it is lost. */
  readonly loss: LinkLoss | undefined;
  /** The shell that runs the command's line, where it is not sh. */
  readonly shell: string | null;
  /** Bytes that the machine itself had dropped before they could be read. */
  readonly droppedBytes: number;
  /** The offset behind what has been read. */
  readonly after: number;
  /** The last line of whichever channel wrote last. */
  lastLine(maxChars: number): string;
  /** The job's end; rejects with what the stream threw. */
  readonly end: Promise<ExecEnd>;
  /** Stops watching. The job goes on. */
  leave(): Promise<void>;
}

/** From where a job is followed, and who knows of its connection. */
export interface FollowJobOptions {
  /** The offset that the events begin at. */
  readonly after?: number;
  /** Told by the stream itself. */
  readonly link?: LinkWatch;
}

/** Reads a job's events from now on, in bounded memory, and lets go of them at their end. */
export function followJob(
  jobId: string,
  events: AsyncGenerator<ExecEvent, void, void>,
  { after = 0, link = new LinkWatch() }: FollowJobOptions = {},
): FollowedJob {
  const advice = (offset: number): string =>
    `terminal_wait with job_id ${jobId} and after ${offset} shows it`;
  const stdout = new TerminalText({ maxCharacters: MAX_OUTPUT_CHARS, advice });
  const stderr = new TerminalText({ maxCharacters: MAX_OUTPUT_CHARS, advice });
  let latest = stdout;
  let hasStarted = false;
  let shell: string | null = null;
  let droppedBytes = 0;
  let readTo = after;

  const readToEnd = async (): Promise<ExecEnd> => {
    for await (const event of events) {
      if (event.type === "ended") return event;
      hasStarted = true;
      if (event.type === "started") shell = event.shell;
      if (event.type === "dropped") {
        droppedBytes += event.bytes;
        readTo += event.bytes;
      } else if (event.type !== "started") {
        readTo = event.offset + event.data.length;
        latest = event.type === "stdout" ? stdout : stderr;
        latest.add(event.data, { offset: event.offset });
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
    get loss() {
      return link.loss;
    },
    get shell() {
      return shell;
    },
    get droppedBytes() {
      return droppedBytes;
    },
    get after() {
      return readTo;
    },
    lastLine: (maxChars) => latest.lastLine(maxChars),
    leave: async () => {
      await events.return();
    },
  };
}
