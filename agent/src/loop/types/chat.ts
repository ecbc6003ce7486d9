import { type Answer, converse } from "../converse.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS =
  "You answer a question. You have no tools: say so where you would need them, and never pretend to have looked at anything.";

/** The agent type chat: one answer without tools. */
export const chat: AgentWork = (run, { prompt, schema }): Promise<Answer> =>
  converse(run, { instructions: INSTRUCTIONS, prompt, schema });
