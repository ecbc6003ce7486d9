import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CmdopError, type ExecStartRequestSchema, MAX_INLINE_STDIN_BYTES, pathText } from "@cmdop/proto";
import type { ExecCommand, ExecOptions } from "./types.ts";

/** A Start request for the wire. */
export type StartRequest = MessageInitShape<typeof ExecStartRequestSchema>;

/** A Start request, and the standard input that does not fit in it. */
export interface PreparedStart {
  readonly jobId: string;
  readonly request: StartRequest;
  readonly streamedStdin: StreamedStdin | undefined;
}

/** Standard input that is sent to a job after its start. */
export interface StreamedStdin {
  readonly source: AsyncIterable<string | Uint8Array>;
  /** True sends end of file behind it. */
  readonly eof: boolean;
}

/**
 * Converts a command and its options to a Start request: a string is a line for a shell, an array is argv.
 */
export function prepareStart(command: ExecCommand, options: ExecOptions): PreparedStart {
  const jobId = options.jobId ?? randomUUID();
  const { timeoutMs = 0 } = options;
  checkMilliseconds("timeoutMs", timeoutMs);
  const { inline, streamed } = splitStdin(options.stdin);
  const { line, args, escaped } = written(command);
  return {
    jobId,
    streamedStdin: streamed === undefined ? undefined : { source: streamed, eof: options.stdinOpen !== true },
    request: {
      jobId,
      command: line === undefined ? { case: "argv", value: { args } } : { case: "shell", value: line },
      escaped,
      lineShell: options.shell ?? "",
      ...(options.login === undefined ? {} : { login: options.login }),
      cwd: options.cwd ?? "",
      env: { ...options.env },
      timeoutMs,
      stdin: inline,
      stdinOpen: streamed !== undefined || options.stdinOpen === true,
    },
  };
}

/** Converts a command to text. If any part is bytes, all of it is escaped in the form of `pathText`. */
function written(command: ExecCommand): {
  readonly line?: string | undefined;
  readonly args: string[];
  readonly escaped: boolean;
} {
  const isLine = typeof command === "string" || command instanceof Uint8Array;
  const words = isLine ? [command] : command;
  const escaped = words.some((word) => typeof word !== "string");
  const args = words.map((word) => (escaped || typeof word !== "string" ? pathText(word) : word));
  return { line: isLine ? args[0] : undefined, args, escaped };
}

/** Describes a command, for messages. */
export function commandText(command: ExecCommand): string {
  const { line, args } = written(command);
  return line ?? args.join(" ");
}

/** Checks a duration, which has 32 bits on the wire. @throws CmdopError InvalidArgument */
export function checkMilliseconds(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return;
  throw new CmdopError("InvalidArgument", `${name} must be a whole number of milliseconds, not ${value}.`);
}

function splitStdin(stdin: ExecOptions["stdin"]): {
  inline: Uint8Array;
  streamed: AsyncIterable<string | Uint8Array> | undefined;
} {
  const nothing = new Uint8Array();
  if (stdin === undefined) return { inline: nothing, streamed: undefined };
  if (typeof stdin !== "string" && !(stdin instanceof Uint8Array))
    return { inline: nothing, streamed: stdin };
  const bytes = typeof stdin === "string" ? Buffer.from(stdin) : stdin;
  if (bytes.length <= MAX_INLINE_STDIN_BYTES) return { inline: bytes, streamed: undefined };
  return { inline: nothing, streamed: once(bytes) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
