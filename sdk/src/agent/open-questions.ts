import { createHash } from "node:crypto";
import { counted, excerpt, useHash } from "@cmdop/proto";
import type { AskedUse, RunStreamEvent } from "./types.ts";

/** Characters of one argument: what a person overlooks on one screen. Of what is longer both ends are shown. */
const MAX_LINE_CHARACTERS = 2_000;

/** A use of a tool that waits for the word of its run's caller: what `agent.approve` answers. */
export interface RunQuestion extends AskedUse {
  readonly tool: string;
  /** What the tool will be used with, whole. */
  readonly input: unknown;
  /** Of this tool and this input: where the machine is about to do something else, a yes is refused there. */
  readonly hash: string;
  /** In milliseconds since 1970 by the machine's clock; then it is a no. */
  readonly expiresAtMs: number;
}

/** What waits for a run's caller, as the events of the run tell it. */
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

  /** The oldest first. */
  get open(): readonly RunQuestion[] {
    return [...this.#open.values()];
  }
}

/**
 * What a tool is to be used with, an argument a line, with everything made
 * visible that could mislead; of what is long both ends, with its size and
 * SHA-256. The longest come first, and what to be careful about last: none can
 * push another out of the sight of the person who is asked below.
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
