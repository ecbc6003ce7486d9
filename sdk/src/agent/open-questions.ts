import { createHash } from "node:crypto";
import { counted, excerpt, useHash } from "@cmdop/proto";
import type { AskedUse, RunStreamEvent } from "./types.ts";

/**
 * Longest argument that is shown whole, in characters: a person can read that much on one screen. Longer ones
 * are shown by their beginning and end.
 */
const MAX_LINE_CHARACTERS = 2_000;

/** A tool call that waits for the answer of the run's caller, given with `agent.approve`. */
export interface RunQuestion extends AskedUse {
  readonly tool: string;
  /** The tool's input, whole. */
  readonly input: unknown;
  /** Hash of this tool and this input. The machine refuses a yes if it is about to do anything else. */
  readonly hash: string;
  /** Time after which the call is refused, in milliseconds since 1970 by the machine's clock. */
  readonly expiresAtMs: number;
}

/** The questions of a run that wait for its caller, collected from the run's events. */
export class OpenQuestions {
  readonly #inputs = new Map<string, unknown>();
  readonly #open = new Map<string, RunQuestion>();

  add(event: RunStreamEvent): void {
    switch (event.type) {
      case "tool_call":
        this.#inputs.set(event.callId, event.input);
        break;
      case "asked": {
        const { callId, tool, expiresAtMs } = event;
        const input = this.#inputs.get(callId);
        this.#open.set(callId, { callId, tool, input, hash: useHash(tool, input), expiresAtMs });
        break;
      }
      case "answered":
        this.#open.delete(event.callId);
        break;
      case "tool_result":
        this.#open.delete(event.callId);
        this.#inputs.delete(event.callId);
        break;
      case "end":
      case "ended":
        this.#open.clear();
        break;
    }
  }

  /** The open questions, the oldest first. */
  get open(): readonly RunQuestion[] {
    return [...this.#open.values()];
  }
}

/**
 * Describes a tool's input, an argument a line, with misleading characters made visible. Long arguments are
 * shown by their beginning and end, with size and SHA-256. The longest come first and the warnings last, so
 * that no argument can push another out of the reader's sight.
 */
export function describeToolInput(input: unknown): string[] {
  const isRecord = typeof input === "object" && input !== null;
  const lines = isRecord
    ? Object.entries(input).map(([name, value]) =>
        lineOf(`${excerpt(name, MAX_LINE_CHARACTERS).shown}: `, value),
      )
    : [lineOf("", input)];
  lines.sort((one, other) => other.text.length - one.text.length);
  return [
    ...lines.map(({ text }) => text),
    ...(lines.every(({ isWhole }) => isWhole) ? [] : ["careful: not all of it is shown"]),
    ...(lines.some(({ hasMarks }) => hasMarks)
      ? ["careful: \\u{…} stands for what can't be seen, or what looks like another character"]
      : []),
  ];
}

function lineOf(label: string, value: unknown): { text: string; isWhole: boolean; hasMarks: boolean } {
  const whole = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const { shown, isWhole, hasMarks } = excerpt(whole, MAX_LINE_CHARACTERS);
  if (isWhole) return { text: label + shown, isWhole, hasMarks };
  const hash = createHash("sha256").update(whole).digest("hex");
  const size = `(${counted(Buffer.byteLength(whole))} bytes, SHA-256 ${hash}) `;
  return { text: label + size + shown, isWhole, hasMarks };
}
