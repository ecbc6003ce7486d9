import { onAbort } from "@cmdop/kit";
import { CmdopError, Sessions } from "@cmdop/proto";
import { asBuffer } from "../as-buffer.ts";
import type { MachineCaller } from "../connection/caller.ts";
import { execEnd, jobStarted, unknownEnd } from "./events.ts";
import { bytesOf } from "./feed-input.ts";
import { follow, OutOfSight } from "./follow.ts";
import { cancelJob, signalJob } from "./jobs-calls.ts";
import type { Keyboards } from "./keyboards.ts";
import { leavable } from "./leavable.ts";
import { wireOffset } from "./offset.ts";
import type {
  AttachOptions,
  HistoryOptions,
  Screen,
  SendOptions,
  SessionChunk,
  SessionHistory,
  WaitOptions,
  WaitResult,
} from "./session-types.ts";
import type { ExecEnd } from "./types.ts";
import { waitForText } from "./wait-for.ts";

/** The first line of a history whose beginning the machine has not kept. */
const BEGINNING_IS_GONE = "[earlier lines are gone: the machine keeps only the last ones]";

/**
 * A terminal on a machine: a shell that lives on when everyone has left. The
 * handle holds no connection; `close` ends the session, leaving does not.
 */
export class Session implements AsyncDisposable {
  readonly sessionId: string;
  readonly #caller: MachineCaller;
  readonly #keyboards: Keyboards;

  constructor(caller: MachineCaller, keyboards: Keyboards, sessionId: string) {
    this.#caller = caller;
    this.#keyboards = keyboards;
    this.sessionId = sessionId;
  }

  /**
   * Types, and resolves when the machine has accepted all of it: over a lost
   * connection too, and never twice.
   * @throws CmdopError OutcomeUnknown when the connection stayed lost for `reconnectWindowMs`; JobEnded, JobUnknown
   */
  async sendInput(data: string | Uint8Array, { reconnectWindowMs }: SendOptions = {}): Promise<void> {
    await this.#keyboards.of(this.sessionId).type(bytesOf(data), { reconnectWindowMs });
  }

  /**
   * Everything that scrolled by and the screen, as text without escapes. Where the
   * machine has not kept all that was asked for, the first line says so, in
   * brackets; `history` says it without a line of its own.
   */
  async getHistory(options: HistoryOptions = {}): Promise<string> {
    const { text, truncated } = await this.history(options);
    return truncated ? `${BEGINNING_IS_GONE}\n${text}` : text;
  }

  /** The same text, and whether its beginning is missing. */
  async history({ maxLines = 0 }: HistoryOptions = {}): Promise<SessionHistory> {
    const request = { sessionId: this.sessionId, maxLines };
    const { text, truncated } = await this.#caller.invoke("/cmdop.v1.Sessions/History", (call) =>
      this.#caller.client(Sessions).history(request, call),
    );
    // Who asked for the last lines and got them misses nothing.
    const isAllThatWasAskedFor = maxLines > 0 && text.split("\n").length >= maxLines;
    return { text, truncated: truncated && !isAllThatWasAskedFor };
  }

  /** What a person in front of the terminal would see now. */
  async screen(): Promise<Screen> {
    const answer = await this.#caller.invoke("/cmdop.v1.Sessions/Screen", (call) =>
      this.#caller.client(Sessions).screen({ sessionId: this.sessionId }, call),
    );
    const { lines, cursorCol, cursorRow, size, title, alternate } = answer;
    return {
      text: lines.join("\n").trimEnd(),
      lines,
      cursor: { col: cursorCol, row: cursorRow },
      cols: size?.cols ?? 0,
      rows: size?.rows ?? 0,
      title,
      alternate,
    };
  }

  /** Changes the size, in characters; the programs are told. */
  async resize(cols: number, rows: number): Promise<void> {
    const request = { sessionId: this.sessionId, size: { cols, rows } };
    await this.#caller.invoke(
      "/cmdop.v1.Sessions/Resize",
      (call) => this.#caller.client(Sessions).resize(request, call),
      { jobId: this.sessionId },
    );
  }

  /** Sends a signal ("SIGINT") to what runs in the foreground. */
  async sendSignal(signal: string): Promise<void> {
    await signalJob(this.#caller, this.sessionId, signal);
  }

  /**
   * Waits until a text appears, without escapes, `\n` being the end of a line:
   * behind what this client typed last, or behind the last match where that is
   * later, or from the beginning where there is neither.
   * @throws CmdopError DeadlineExceeded, with the last lines; JobEnded when the session ends first; Canceled
   */
  async waitFor(pattern: RegExp | string, options: WaitOptions = {}): Promise<WaitResult> {
    const keyboard = this.#keyboards.of(this.sessionId);
    const job = { jobId: this.sessionId, after: keyboard.heardFrom };
    const { result, offset } = await waitForText(this.#caller, job, pattern, options);
    keyboard.heardUpTo(offset);
    return result;
  }

  /**
   * The raw bytes of the terminal, those that the machine still has and then
   * those that come, to the session's end. Any number may watch, and nobody
   * holds the session up: where a viewer was too slow for a bound of the
   * machine, the next chunk's offset jumps. Stop reading to leave.
   * @throws CmdopError JobUnknown; LinkLost when the connection stayed lost for `reconnectWindowMs`
   */
  attach(options: AttachOptions = {}): AsyncGenerator<SessionChunk, void, void> {
    const leave = new AbortController();
    return leavable(this.#chunks(options, leave), () => leave.abort());
  }

  /**
   * Waits for the session's end, however long that takes, and returns how it
   * ended. Aborting ends the waiting with Canceled; the session lives on.
   */
  async wait({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ExecEnd> {
    const leave = new AbortController();
    const stopListening = onAbort(signal, () => leave.abort());
    const jobId = this.sessionId;
    try {
      // Not its output, of which there may be much: only what comes behind it.
      const after = await this.#outputEnd(leave.signal);
      for await (const { kind } of follow(this.#caller, { jobId, after }, { leave: leave.signal })) {
        if (kind.case === "ended") return execEnd(jobId, kind.value.outcome);
      }
    } catch (thrown) {
      if (!(thrown instanceof OutOfSight)) throw thrown;
      return unknownEnd(jobId, thrown.message);
    } finally {
      stopListening();
    }
    throw new CmdopError("Canceled", `Nobody waits for the end of the session ${jobId} any more.`);
  }

  /** Ends the session, as a terminal does that is closed, and returns how it ended. */
  async close(): Promise<ExecEnd> {
    const end = await cancelJob(this.#caller, this.sessionId);
    this.#keyboards.forget(this.sessionId);
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#chunks(
    { after, signal, reconnectWindowMs, onLink, onOffline, onStarted }: AttachOptions,
    leave: AbortController,
  ): AsyncGenerator<SessionChunk, void, void> {
    const stopListening = onAbort(signal, () => leave.abort());
    const job = { jobId: this.sessionId, after: wireOffset(after) };
    try {
      const options = { reconnectWindowMs, onLink, onOffline, leave: leave.signal };
      for await (const { offset, kind } of follow(this.#caller, job, options)) {
        if (kind.case === "started") onStarted?.(jobStarted(kind.value));
        if (kind.case === "output") yield { offset: Number(offset), data: asBuffer(kind.value.data) };
      }
    } finally {
      stopListening();
    }
  }

  async #outputEnd(leave: AbortSignal): Promise<bigint> {
    for await (const { kind } of follow(this.#caller, { jobId: this.sessionId, after: 0n }, { leave })) {
      if (kind.case === "started") return kind.value.outputEnd;
    }
    return 0n;
  }
}
