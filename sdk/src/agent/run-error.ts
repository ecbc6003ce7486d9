import { CmdopError, type RunUsage } from "@cmdop/proto";
import type { JobOutcomeName } from "../terminal/types.ts";
import type { RunFacts, RunToolCall } from "./types.ts";

/** A run that ended without an answer. It has all fields of a result but the output. */
export class RunError extends CmdopError implements RunFacts {
  readonly runId: string;
  readonly outcome: JobOutcomeName;
  readonly text: string;
  readonly steps: number;
  readonly toolCalls: readonly RunToolCall[];
  readonly usage: RunUsage;
  readonly durationMs: number;

  constructor(error: CmdopError, facts: RunFacts) {
    super(error.code, error.message, { next: error.next, cause: error.cause });
    this.runId = facts.runId;
    this.outcome = facts.outcome;
    this.text = facts.text;
    this.steps = facts.steps;
    this.toolCalls = facts.toolCalls;
    this.usage = facts.usage;
    this.durationMs = facts.durationMs;
  }
}
