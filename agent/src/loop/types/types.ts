import type { Answer } from "../converse.ts";
import type { RunContext } from "../run-context.ts";
import type { OutputSchema } from "../schema/output-schema.ts";

/** The task of an agent. */
export interface Assignment {
  readonly prompt: string;
  /** Schema that the answer must match; undefined for an answer in words. */
  readonly schema: OutputSchema | undefined;
}

/** The work of one agent type. */
export type AgentWork = (run: RunContext, assignment: Assignment) => Promise<Answer>;
