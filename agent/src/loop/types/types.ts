import type { Answer } from "../converse.ts";
import type { RunContext } from "../run-context.ts";
import type { OutputSchema } from "../schema/output-schema.ts";

/** What an agent is asked. */
export interface Assignment {
  readonly prompt: string;
  /** What its answer must match; words where there is none. */
  readonly schema: OutputSchema | undefined;
}

/** How one type of agent works. */
export type AgentWork = (run: RunContext, assignment: Assignment) => Promise<Answer>;
