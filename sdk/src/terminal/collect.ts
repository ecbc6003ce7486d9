import type { ExecEnd, ExecEvent, ExecOutput, ExecResult } from "./types.ts";

/** Default limit of the output kept in a result, in bytes. */
export const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** The result of a job's events so far. */
export class Collected {
  /** The offset behind the collected output. */
  after: number;
  #end: ExecEnd | undefined;
  /** The shell that runs the line, if the machine has named one. */
  shell: string | null = null;
  #room: number;
  #overLimitBytes = 0;
  #droppedByMachineBytes = 0;
  readonly #kept: Record<"stdout" | "stderr", Uint8Array[]> = {
    stdout: [],
    stderr: [],
  };

  constructor(maxOutputBytes: number = DEFAULT_MAX_OUTPUT_BYTES, after = 0) {
    this.#room = maxOutputBytes;
    this.after = after;
  }

  /** Reads events until they end. */
  async read(events: AsyncIterable<ExecEvent>): Promise<void> {
    for await (const event of events) this.#add(event);
  }

  /** Returns a copy that can be continued on its own. */
  copy(): Collected {
    const copy = new Collected(this.#room, this.after);
    copy.shell = this.shell;
    copy.#overLimitBytes = this.#overLimitBytes;
    copy.#droppedByMachineBytes = this.#droppedByMachineBytes;
    copy.#kept.stdout = [...this.#kept.stdout];
    copy.#kept.stderr = [...this.#kept.stderr];
    return copy;
  }

  /** True if the job's end has been read. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Returns the output so far. */
  output(): ExecOutput {
    const stdoutBytes = Buffer.concat(this.#kept.stdout);
    const stderrBytes = Buffer.concat(this.#kept.stderr);
    const [overLimitBytes, droppedByMachineBytes] = [this.#overLimitBytes, this.#droppedByMachineBytes];
    const isWhole = overLimitBytes === 0 && droppedByMachineBytes === 0;
    return {
      stdout: stdoutBytes.toString("utf8"),
      stderr: stderrBytes.toString("utf8"),
      stdoutBytes,
      stderrBytes,
      truncated: isWhole ? false : { overLimitBytes, droppedByMachineBytes },
    };
  }

  /** Returns the whole result. Throws a TypeError before the end has been read. */
  result(): ExecResult {
    if (this.#end === undefined) throw new TypeError("the events of a job ended without its end");
    return { status: "done", ...this.#end, shell: this.shell, ...this.output() };
  }

  #add(event: ExecEvent): void {
    switch (event.type) {
      case "stdout":
      case "stderr": {
        const data = event.data.length <= this.#room ? event.data : event.data.subarray(0, this.#room);
        if (data.length > 0) this.#kept[event.type].push(data);
        this.#room -= data.length;
        this.#overLimitBytes += event.data.length - data.length;
        this.after = event.offset + event.data.length;
        return;
      }
      case "dropped":
        this.#droppedByMachineBytes += event.bytes;
        this.after = event.offset + event.bytes;
        return;
      case "ended": {
        const { type: _type, ...end } = event;
        this.#end = end;
        return;
      }
      case "started":
        this.shell = event.shell;
    }
  }
}
