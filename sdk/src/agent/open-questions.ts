import { visible } from "@cmdop/proto";
import type { RunStreamEvent } from "./types.ts";

/** A use of a tool that waits for the word of its run's caller: what `agent.approve` answers. */
export interface RunQuestion {
  readonly callId: string;
  readonly tool: string;
  /** What the tool will be used with, whole. */
  readonly input: unknown;
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
        this.#open.set(callId, { callId, tool, input: this.#inputs.get(callId), expiresAtMs });
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
 * What a tool is to be used with, an argument a line, whole and with everything
 * made visible that could mislead. The longest come first: none can push another
 * out of the sight of the person who is asked below.
 */
export function describeToolInput(input: unknown): string[] {
  if (typeof input !== "object" || input === null) return [visible(textOf(input))];
  const shown = Object.entries(input).map(([name, value]) => visible(`${name}: ${textOf(value)}`));
  return shown.sort((one, other) => other.length - one.length);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
