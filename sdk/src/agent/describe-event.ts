import { withoutMarks } from "@cmdop/proto";
import type { RunStreamEvent } from "./types.ts";

/** Longest quotation of one value (a tool's arguments or output, a report) in a line, in characters. */
const MAX_QUOTED_CHARACTERS = 160;

/**
 * Describes an event of a run on one line for a person; undefined for events that come in pieces or say
 * nothing new (text, reasoning, steps, usage). The line quotes models and tools, so make it visible before
 * you show it.
 */
export function describeRunEvent(event: RunStreamEvent): string | undefined {
  switch (event.type) {
    case "begun":
      return `${event.agentType} agent with ${event.model}`;
    case "tool_call":
      return `> ${event.tool} ${quoted(JSON.stringify(event.input) ?? "")}`;
    case "tool_result":
      return `< ${event.tool} ${event.ok ? "says" : "failed"}: ${quoted(withoutMarks(event.output))}`;
    case "approval":
      return `${event.tool} waits for approval until ${timeText(event.expiresAtMs)}; to allow it: cmdop approve ${event.approvalId}`;
    case "asked":
      return `${event.tool} waits for your answer until ${timeText(event.expiresAtMs)}: agent.approve(runId, event, …) for ${JSON.stringify(event.callId)}`;
    case "answered":
      return `answered: ${event.approved ? "yes" : "no"}${event.reason === "" ? "" : `, ${quoted(event.reason)}`}`;
    case "choice":
      return `chosen: ${event.agentType} (${quoted(event.reason)})`;
    case "plan":
      return `plan: ${event.steps.map((step, index) => `${index + 1}. ${quoted(step)}`).join("; ")}`;
    case "plan_step":
      return `step ${event.number} ${event.state}${event.report === "" ? "" : `: ${quoted(event.report)}`}`;
    case "retry":
      return `the model is called again in ${event.pauseMs} ms: ${quoted(event.reason)}`;
    case "repair":
      return `the answer can't be used, the model is told: ${quoted(event.errors)}`;
    case "shortened":
      return `${event.characters} characters of old output were taken out of the model's view`;
    case "dropped":
      return `${event.bytes} bytes of the run's events were dropped`;
    default:
      return undefined;
  }
}

/** Returns the beginning of the text, on one line. */
function quoted(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, " ");
  return line.length <= MAX_QUOTED_CHARACTERS ? line : `${line.slice(0, MAX_QUOTED_CHARACTERS)}…`;
}

/** Formats a time. A machine may send any number, also one that is no date. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `time ${timeMs}` : date.toISOString();
}
