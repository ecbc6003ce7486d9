import { z } from "zod";
import { type Answer, converse } from "../converse.ts";
import { schemaOf } from "../output-schema.ts";
import { chat } from "./chat.ts";
import { command } from "./command.ts";
import { planner } from "./planner.ts";
import { terminal } from "./terminal.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS = `You choose who is to work on what a person asks; you do not do it yourself.
- chat: an answer from knowledge alone, nothing on the machine is needed
- command: one command is enough
- terminal: several commands or files, each step depending on the last
- planner: a large task of several parts that are worth a plan`;

const choiceShape = z.strictObject({
  agentType: z.enum(["chat", "command", "terminal", "planner"]),
  reason: z.string(),
});

const WORK = { chat, command, terminal, planner } as const satisfies Record<string, AgentWork>;

/** Chooses one of the other types, which then works. */
export const router: AgentWork = async (run, task): Promise<Answer> => {
  const { output } = await converse(run, {
    instructions: INSTRUCTIONS,
    prompt: task.prompt,
    schema: schemaOf(choiceShape),
  });
  const choice = choiceShape.parse(output);
  run.events.write({ type: "choice", ...choice });
  return WORK[choice.agentType](run, task);
};
