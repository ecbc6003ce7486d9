import { describeRunEvent, type RunStreamEvent } from "@cmdop/sdk";
import { jsonLine } from "../console/json-line.ts";
import { printable, printableText } from "../console/printable.ts";

/** Characters of what the model says between its tools, in a line of progress. */
const MAX_SAID_CHARACTERS = 160;

/** Makes lines of a run's events, as people follow them: all from afar, so all of it visible. */
export class RunProgress {
  #said = "";
  #runId = "";

  /** The lines that an event is worth, each with its newline; empty for most. */
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

  /** What the model said before it asked for a tool; said once. */
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

/** A run's answer as it may be shown: a text keeps its lines and tabs, anything else is one line of JSON. */
export function answerText(output: unknown): string {
  if (typeof output !== "string") return jsonLine(output);
  return `${printableText(output).trimEnd()}\n`;
}
