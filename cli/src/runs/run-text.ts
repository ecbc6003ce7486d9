import { describeRunEvent, type RunStreamEvent } from "@cmdop/sdk";
import { jsonLine } from "../console/json-line.ts";
import { printable, printableText } from "../console/printable.ts";

/** Most characters of the model's text between tools in a line of progress. */
const MAX_SAID_CHARACTERS = 160;

/** Makes lines of progress from a run's events. Text from the machine is made printable. */
export class RunProgress {
  #said = "";
  #runId = "";

  /** Returns the lines of an event, each with its newline; empty for most. */
  add(event: RunStreamEvent): string {
    switch (event.type) {
      case "text":
        if (this.#said.length <= MAX_SAID_CHARACTERS) this.#said += event.text;
        return "";
      case "started":
        this.#runId = event.runId;
        return "";
      case "begun":
        return line(`${describeRunEvent(event)}, run ${this.#runId}`);
      case "step":
      case "revoked":
      case "end":
        this.#said = "";
        return "";
      case "tool_call":
        return this.#saidLine() + line(describeRunEvent(event));
      case "retry":
        this.#said = "";
        return line(describeRunEvent(event));
      default:
        return line(describeRunEvent(event));
    }
  }

  /** Returns the model's text before a tool call, only once. */
  #saidLine(): string {
    const said = this.#said.trim().replaceAll(/\s+/g, " ");
    this.#said = "";
    if (said === "") return "";
    return line(said.length > MAX_SAID_CHARACTERS ? `${said.slice(0, MAX_SAID_CHARACTERS)}…` : said);
  }
}

function line(text: string | undefined): string {
  return text === undefined ? "" : `${printable(text)}\n`;
}

/**
 * Formats a run's answer for printing: a text keeps its lines and tabs, anything else is one line of JSON.
 */
export function answerText(output: unknown): string {
  if (typeof output !== "string") return jsonLine(output);
  return `${printableText(output).trimEnd()}\n`;
}
