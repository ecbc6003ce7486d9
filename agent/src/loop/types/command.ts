import { type Answer, converse } from "../converse.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS =
  "You run exactly one command on a machine, the one that answers or does what you are asked, and then report what it said. You can't run a second one: where one is not enough, say so.";

/** The agent type command: runs one command and reports its result. */
export const command: AgentWork = (run, { prompt, schema }): Promise<Answer> =>
  converse(run, {
    instructions: INSTRUCTIONS,
    prompt,
    schema,
    tools: run.oneCommand,
    toolChoice: (call) => (call === 1 ? { type: "tool", toolName: "execute" } : "none"),
  });
