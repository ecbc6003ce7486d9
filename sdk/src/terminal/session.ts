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

/** First line of a history whose beginning the machine has not kept. */
const BEGINNING_IS_GONE = "[earlier lines are gone: the machine keeps only the last ones]";

/**
 * A terminal on a machine: a shell that goes on when all viewers have left. The handle holds no connection;
 * only `close` ends the session.
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
   * Types, and waits until the machine has accepted all of it; across lost connections, and never twice.
   * @throws CmdopError OutcomeUnknown when the connection stayed lost for `reconnectWindowMs`; JobEnded,
   *   JobUnknown
   */
  async sendInput(data: string | Uint8Array, { reconnectWindowMs }: SendOptions = {}): Promise<void> {
    await this.#keyboards.of(this.sessionId).type(bytesOf(data), { reconnectWindowMs });
  }

  /**
   * Returns the scrolled lines and the screen, as text without escapes. If the machine has not kept all
   * requested lines, the first line says so in brackets; `history` says it in a field instead.
   */
  async getHistory(options: HistoryOptions = {}): Promise<string> {
    const { text, truncated } = await this.history(options);
    return truncated ? `${BEGINNING_IS_GONE}\n${text}` : text;
  }

  /** Returns the same text, and `truncated` if its beginning is missing. */
  async history({ maxLines = 0 }: HistoryOptions = {}): Promise<SessionHistory> {
    const request = { sessionId: this.sessionId, maxLines };
    const { text, truncated } = await this.#caller.invoke("/cmdop.v1.Sessions/History", (call) =>
      this.#caller.client(Sessions).history(request, call),
    );
    // A caller that asked for the last lines and got them misses nothing.
    const isAllThatWasAskedFor = maxLines > 0 && text.split("\n").length >= maxLines;
    return { text, truncated: truncated && !isAllThatWasAskedFor };
  }

  /** Returns the screen as a person would see it now. */
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

  /** Changes the size, in characters; the programs are notified. */
  async resize(cols: number, rows: number): Promise<void> {
    const request = { sessionId: this.sessionId, size: { cols, rows } };
    await this.#caller.invoke(
      "/cmdop.v1.Sessions/Resize",
      (call) => this.#caller.client(Sessions).resize(request, call),
      { jobId: this.sessionId },
    );
  }

  /** Sends a signal ("SIGINT") to the foreground process group. */
  async sendSignal(signal: string): Promise<void> {
    await signalJob(this.#caller, this.sessionId, signal);
  }

  /**
   * Waits until a text appears in the output, without escapes and with `\n` at line ends. The search starts
   * behind the last input of this client, or behind the last match if that is later, or else at the beginning.
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
   * Yields the raw bytes of the terminal, first those that the machine still has and then new ones, to the
   * session's end. There is no limit to the viewers, and none slows the session down: for a viewer that is
   * too slow, the next chunk's offset jumps. Stop reading to leave.
   * @throws CmdopError JobUnknown; LinkLost when the connection stayed lost for `reconnectWindowMs`
   */
  attach(options: AttachOptions = {}): AsyncGenerator<SessionChunk, void, void> {
    const leave = new AbortController();
    return leavable(this.#chunks(options, leave), () => leave.abort());
  }

  /**
   * Waits for the session's end, however long that takes, and returns it. Aborting ends the wait with
   * Canceled; the session goes on.
   */
  async wait({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ExecEnd> {
    const leave = new AbortController();
    const stopListening = onAbort(signal, () => leave.abort());
    const jobId = this.sessionId;
    try {
      // Its output is skipped, since there may be much of it.
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

  /** Ends the session, like closing a terminal window, and returns its end. */
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
