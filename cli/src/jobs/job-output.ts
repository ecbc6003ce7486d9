import { isErrno } from "@cmdop/kit";
import { CmdopError, type ExecEvent } from "@cmdop/sdk";
import { report } from "../console/output.ts";
import { EXIT_PIPE_CLOSED } from "./exit-codes.ts";

/** What becomes of a job whose output can't be written, as the message says it. */
export type UnwritableJob =
  | "The command was canceled."
  | "The run was canceled."
  | "The run has ended."
  | "The job goes on.";

/** Writes a job's output to this process's own: stdout to stdout, stderr to stderr. */
export class JobOutput {
  readonly #unwritable = new AbortController();
  #writeError: Error | undefined;

  constructor() {
    for (const name of ["stdout", "stderr"] as const) {
      process[name].on("error", (error: Error) => {
        this.#writeError ??= error;
        this.#unwritable.abort();
      });
    }
  }

  /** Aborts when the output can't be written any more. */
  get unwritable(): AbortSignal {
    return this.#unwritable.signal;
  }

  /** Writes what there is to write of an event, and says what was dropped. */
  async write(event: ExecEvent): Promise<void> {
    if (event.type === "stdout" || event.type === "stderr") await write(process[event.type], event.data);
    if (event.type === "dropped") report(`${event.bytes} bytes of output were dropped`);
  }

  /** Writes text of our own to stdout. */
  print(text: string): Promise<void> {
    return write(process.stdout, Buffer.from(text));
  }

  /** The exit code where nobody reads any more; undefined while all is well. Throws where writing failed. */
  exitCodeIfUnread(fate: UnwritableJob): number | undefined {
    if (this.#writeError === undefined) return undefined;
    if (isErrno(this.#writeError, "EPIPE")) return EXIT_PIPE_CLOSED;
    throw new CmdopError("NoSpace", `The output could not be written here: ${this.#writeError.message}.`, {
      cause: this.#writeError,
      next: `${fate} Check where the output goes to: is that disk full?`,
    });
  }
}

/** Resolves when the bytes have been taken, or never will be: the stream's error says why. */
function write(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.write(data, () => resolve()));
}
