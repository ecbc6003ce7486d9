import { type Answer, converse } from "../converse.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS =
  "You work on a machine with the tools that you are given, and nobody can be asked. Look before you change anything; change only what you were asked to. Check what you did before you say that it is done. Then answer: what you found or did, and what you could not. Never guess what a tool could tell you.";

/** The agent type terminal: works with commands and files, step by step, within its budget. */
export const terminal: AgentWork = (run, { prompt, schema }): Promise<Answer> =>
  converse(run, { instructions: INSTRUCTIONS, prompt, schema, tools: run.tools });
