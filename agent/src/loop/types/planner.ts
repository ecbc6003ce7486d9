import { z } from "zod";
import { type Answer, converse } from "../converse.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { RunContext } from "../run-context.ts";
import { schemaOf } from "../schema/output-schema.ts";
import type { AgentWork } from "./types.ts";

const MAX_PLAN_STEPS = 20;

const PLAN =
  "You plan what somebody else will do on a machine, step by step, with commands and files. Each step is one or two sentences: what is to be done, and how one sees that it is done. No step for what is done already. An empty plan says that nothing is left that can be done.";
const STEP =
  "You carry out one step of a plan on a machine, with the tools that you are given; only this step. Check that it is done. Then answer: done, true only where you have seen that it is; report, what you did and saw, or why it could not be done.";
const FINISH =
  "A plan was carried out on a machine. Answer the person who asked, from the reports of its steps and nothing else; say plainly what was not done.";

const planShape = z.strictObject({ steps: z.array(z.string().min(1)).max(MAX_PLAN_STEPS) });
const stepShape = z.strictObject({ done: z.boolean(), report: z.string() });

/**
 * The agent type planner: makes a plan, carries out its steps one by one, and makes a new plan when a step
 * fails.
 */
export const planner: AgentWork = async (run, { prompt, schema }): Promise<Answer> => {
  const reports: string[] = [];
  for (let replans = 0; replans <= LOOP_LIMITS.maxReplans; replans += 1) {
    const steps = await plan(run, prompt, reports);
    if (await carryOut(run, prompt, steps, reports)) break;
  }
  return converse(run, { instructions: FINISH, prompt: told(prompt, reports), schema });
};

async function plan(run: RunContext, prompt: string, reports: readonly string[]): Promise<string[]> {
  const { output } = await converse(run, {
    instructions: PLAN,
    prompt: told(prompt, reports),
    schema: schemaOf(planShape),
  });
  const { steps } = planShape.parse(output);
  run.events.write({ type: "plan", steps });
  return steps;
}

/** Carries out the steps, and returns true if all were done. Stops at the first one that failed. */
async function carryOut(
  run: RunContext,
  prompt: string,
  steps: readonly string[],
  reports: string[],
): Promise<boolean> {
  for (const [index, step] of steps.entries()) {
    const number = index + 1;
    run.events.write({ type: "plan_step", number, state: "begun", report: "" });
    const { output } = await converse(run, {
      instructions: STEP,
      prompt: `${told(prompt, reports)}\n\nYour step, ${number} of ${steps.length}: ${step}`,
      schema: schemaOf(stepShape),
      tools: run.tools,
    });
    const { done, report } = stepShape.parse(output);
    run.events.write({ type: "plan_step", number, state: done ? "done" : "failed", report });
    reports.push(`${done ? "done" : "FAILED"}: ${step}\n  ${report}`);
    if (!done) return false;
  }
  return true;
}

function told(prompt: string, reports: readonly string[]): string {
  if (reports.length === 0) return prompt;
  return `${prompt}\n\nWhat has been done so far:\n${reports.map((report) => `- ${report}`).join("\n")}`;
}
