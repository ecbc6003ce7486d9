import {
  type AskedUse,
  CmdopError,
  describeToolInput,
  OpenQuestions,
  type RunQuestion,
  type RunStreamEvent,
} from "@cmdop/sdk";
import { reportError } from "../console/exit.ts";
import { printable } from "../console/printable.ts";
import { isoTime } from "../console/time.ts";
import type { TypedLines } from "../console/typed-lines.ts";

/** Longest reason that a machine accepts, in characters. */
const MAX_REASON_CHARACTERS = 500;

/** Errors which say that the question is no longer open. */
const TOO_LATE: ReadonlySet<string> = new Set(["NotFound", "JobEnded", "JobUnknown"]);

/** The machine that asks, and the functions for asking and answering. */
export interface Asking {
  /** The machine's name as the person gave it. */
  readonly machine: string;
  readonly lines: Pick<TypedLines, "drop" | "next" | "isOver">;
  readonly write: (text: string) => void;
  readonly answer: (use: AskedUse, answer: "yes" | "no", reason: string) => Promise<void>;
}

/**
 * Asks the person at the terminal the questions of a run, one after the other. Anything but a clear yes is a
 * no. The progress of the run is held back while a question is on the screen.
 */
export class RunQuestions {
  readonly #asking: Asking;
  readonly #questions = new OpenQuestions();
  readonly #asked = new Set<string>();
  #held: string[] = [];
  #current: { readonly callId: string; readonly over: AbortController } | undefined;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** Takes the run's next event, and its lines of progress. */
  add(event: RunStreamEvent, lines: string): void {
    this.#questions.add(event);
    const isOpen = (id: string): boolean => this.#questions.open.some(({ callId }) => callId === id);
    if (this.#current !== undefined && !isOpen(this.#current.callId)) this.#current.over.abort();
    // The question itself shows more than the event's lines.
    if (event.type !== "asked" && lines !== "") {
      if (this.#current === undefined) this.#asking.write(lines);
      else this.#held.push(lines);
    }
    this.#begin();
  }

  #begin(): void {
    if (this.#current !== undefined) return;
    const question = this.#questions.open.find(({ callId }) => !this.#asked.has(callId));
    if (question === undefined) return;
    const over = new AbortController();
    this.#current = { callId: question.callId, over };
    this.#asked.add(question.callId);
    this.#ask(question, over.signal)
      .catch(reportError)
      .finally(() => {
        this.#current = undefined;
        const held = this.#held.join("");
        this.#held = [];
        if (held !== "") this.#asking.write(held);
        this.#begin();
      });
  }

  async #ask(question: RunQuestion, over: AbortSignal): Promise<void> {
    const { machine, lines, write, answer } = this.#asking;
    const { tool, input, expiresAtMs } = question;
    const shown = describeToolInput(input).map((line) => `  ${line}\n`);
    await lines.drop(over);
    if (over.aborted) return;
    write(
      `\n${printable(tool)} on ${printable(machine)} waits for your answer until ${isoTime(expiresAtMs)}:\n${shown.join("")}`,
    );
    for (;;) {
      const said = await this.#typed("Allow it? [y/N] ", over);
      if (lines.isOver) write("\n");
      const isYes = said !== undefined && /^y(?:es)?$/i.test(said.trim());
      // Enter is a no without a reason; after the end of the input no reason can be given.
      const why =
        isYes || lines.isOver
          ? ""
          : await this.#typed("Why not? The agent is told (Enter: no reason) ", over);
      if (over.aborted) return write("\ncmdop: this question is no longer open\n");
      try {
        return await answer(
          question,
          isYes ? "yes" : "no",
          (why ?? "").trim().slice(0, MAX_REASON_CHARACTERS),
        );
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (TOO_LATE.has(error.code)) return write("cmdop: too late, this question is no longer open\n");
        reportError(error);
        // No answer counts as a no.
        if (lines.isOver) return;
      }
    }
  }

  #typed(prompt: string, over: AbortSignal): Promise<string | undefined> {
    if (!over.aborted) this.#asking.write(prompt);
    return this.#asking.lines.next(over);
  }
}
