import { createHash } from "node:crypto";
import {
  type AgentTypeName,
  CmdopError,
  MAX_OUTPUT_SCHEMA_BYTES,
  MAX_PROMPT_BYTES,
  type RunApproveName,
} from "@cmdop/proto";
import { summary } from "../jobs/exec/command.ts";
import { LOOP_LIMITS } from "./limits.ts";

/** A caller's request for a run. */
export interface RunRequest {
  readonly prompt: string;
  readonly agentType: AgentTypeName;
  /** JSON Schema as text; empty for an answer in words. */
  readonly outputSchema: string;
  /** Largest number of model calls. 0 means the default, as in the next two fields. */
  readonly maxSteps: number;
  readonly maxTokens: number;
  readonly timeoutMs: number;
  /** The tool uses that need the caller's confirmation. */
  readonly approve: RunApproveName;
}

/** @throws CmdopError InvalidArgument, MessageTooLarge */
export function checkRun({ prompt, outputSchema, maxSteps, timeoutMs }: RunRequest): void {
  if (prompt.trim() === "") {
    throw new CmdopError("InvalidArgument", "The prompt is empty.", { next: "Say what the agent is to do." });
  }
  tooLarge("A prompt", prompt, MAX_PROMPT_BYTES, "Put the data into a file that the agent can read.");
  tooLarge("An output schema", outputSchema, MAX_OUTPUT_SCHEMA_BYTES, "Ask for less in one output.");
  tooHigh("maxSteps", maxSteps, LOOP_LIMITS.maxSteps);
  tooHigh("timeoutMs", timeoutMs, LOOP_LIMITS.maxTimeoutMs);
}

/** Returns a hash that is equal for equal requests. */
export function runHash(request: RunRequest): string {
  const { prompt, agentType, outputSchema, maxSteps, maxTokens, timeoutMs, approve } = request;
  return createHash("sha256")
    .update(JSON.stringify(["run", prompt, agentType, outputSchema, maxSteps, maxTokens, timeoutMs, approve]))
    .digest("base64url");
}

/** Returns the run as one line for people. */
export function runSummary({ agentType, prompt }: RunRequest): string {
  return summary({ run: { shell: `${agentType}: ${prompt}` } });
}

function tooLarge(what: string, text: string, maxBytes: number, next: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new CmdopError("MessageTooLarge", `${what} may have ${maxBytes} bytes at most, not ${bytes}.`, {
    next,
  });
}

function tooHigh(name: string, value: number, most: number): void {
  if (value <= most) return;
  throw new CmdopError("InvalidArgument", `${name} is at most ${most}; ${value} was asked for.`);
}
