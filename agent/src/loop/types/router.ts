import { z } from "zod";
import { type Answer, converse } from "../converse.ts";
import type { RunContext } from "../run-context.ts";
import { schemaOf } from "../schema/output-schema.ts";
import { chat } from "./chat.ts";
import { command } from "./command.ts";
import { planner } from "./planner.ts";
import { terminal } from "./terminal.ts";
import type { AgentWork } from "./types.ts";

const INSTRUCTIONS =
  "You choose who is to work on what a person asks; you do not do it yourself. These can be chosen:";

/** Agent types that the router may choose, with their purposes and the tools that they need. */
const CHOICES = {
  chat: {
    work: chat,
    about: "an answer from knowledge alone, nothing on the machine is needed",
    tools: () => undefined,
  },
  command: { work: command, about: "one command is enough", tools: (run) => run.oneCommand },
  terminal: {
    work: terminal,
    about: "several commands or files, each step depending on the last",
    tools: (run) => run.tools,
  },
  planner: {
    work: planner,
    about: "a large task of several parts that are worth a plan",
    tools: (run) => run.tools,
  },
} as const satisfies Record<string, Choice>;

interface Choice {
  readonly work: AgentWork;
  readonly about: string;
  /** Returns the tools that it needs; undefined if it needs none. */
  readonly tools: (run: RunContext) => object | undefined;
}

const typeSchema = z.enum(["chat", "command", "terminal", "planner"]);

/**
 * The agent type router: chooses one of the other types, which then does the work. It never chooses a type
 * for whose tools the run's key lacks the scopes.
 */
export const router: AgentWork = async (run, task): Promise<Answer> => {
  const able = typeSchema.options.filter((type) => {
    const tools = CHOICES[type].tools(run);
    return tools === undefined || Object.keys(tools).length > 0;
  });
  const choiceShape = z.strictObject({ agentType: typeSchema.extract(able), reason: z.string() });
  const { output } = await converse(run, {
    instructions: [INSTRUCTIONS, ...able.map((type) => `- ${type}: ${CHOICES[type].about}`)].join("\n"),
    prompt: task.prompt,
    schema: schemaOf(choiceShape),
  });
  const choice = choiceShape.parse(output);
  run.events.write({ type: "choice", ...choice });
  return CHOICES[choice.agentType].work(run, task);
};
