import type { ToolSet } from "ai";
import { type Answer, converse } from "../converse.ts";
import type { RunContext } from "../run-context.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS =
  "You run exactly one command on a machine, the one that answers or does what you are asked, and then report what it said. You can't run a second one: where one is not enough, say so.";

/** One command, run, and a report of what it said. */
export const command: AgentWork = (run, { prompt, schema }): Promise<Answer> =>
  converse(run, {
    instructions: INSTRUCTIONS,
    prompt,
    schema,
    tools: onlyOnce(run),
    toolChoice: (call) => (call === 1 ? { type: "tool", toolName: "execute" } : "none"),
  });

/** The tool that runs commands, for one of them: a model may ask for several at once. */
function onlyOnce({ tools }: RunContext): ToolSet {
  const { execute } = tools;
  if (execute?.execute === undefined) return {};
  const runCommand = execute.execute;
  let isUsed = false;
  return {
    execute: {
      ...execute,
      execute: (input, options) => {
        if (isUsed) return { ok: false, text: "refused: one command was run already, and there is only one" };
        isUsed = true;
        return runCommand(input, options);
      },
    },
  };
}
