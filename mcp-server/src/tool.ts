import { argumentReader } from "@cmdop/proto";
import type { AskedUse as RunUse } from "@cmdop/sdk";
import { z } from "zod";
import type { ToolClient } from "./client.ts";
import type { FollowedJob } from "./follow-job.ts";
import type { FollowedRun } from "./follow-run.ts";
import type { NameMachine } from "./machine-argument.ts";
import { OwnError } from "./own-error.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";

/** What a handler knows besides its arguments. */
export interface ToolContext {
  readonly client: ToolClient;
  /** Aborts when the client withdrew this very call: what the call began is to be ended. */
  readonly canceled: AbortSignal;
  /** Aborts when the client is gone without having withdrawn the call: jobs go on. */
  readonly gone: AbortSignal;
  /** Aborts in either case: nobody waits for the answer any more. */
  readonly over: AbortSignal;
  /** Takes failures that no answer can carry. */
  readonly report: (error: unknown) => void;
  /** Tells the client how far a call is. Absent where the client did not ask. */
  readonly progress: ((elapsedSeconds: number, message: string) => void) | undefined;
  readonly timings: Timings;
  /** Commands of earlier calls that wait for a person. */
  readonly waitingJobs: WaitingJobs<FollowedJob>;
  /** The same for agents' runs. */
  readonly waitingRuns: WaitingJobs<FollowedRun>;
  /** What the machine of a call is called in its answer. */
  readonly nameMachine: NameMachine;
  /** Whether the client can put a question to its person. */
  readonly canAsk: boolean;
  /** The person's word, where this call was made before and its answer had to `ask`. */
  readonly word?: PersonsWord | undefined;
}

/** A use of a tool of a run that waits; its hash is that of what the person is shown. */
export interface AskedUse extends RunUse {
  readonly runId: string;
}

/** What a client's person has said. */
export interface PersonsWord {
  readonly about: AskedUse;
  readonly answer: "yes" | "no";
  readonly reason: string;
}

/** What the client's person is to be asked; then the same call is made again, with the word. */
export interface AskPerson {
  readonly about: AskedUse;
  /** What the person reads. */
  readonly message: string;
  /** Ends what the call has begun, where the client withdraws it meanwhile. */
  readonly withdraw?: (() => Promise<unknown>) | undefined;
}

/** How long calls take at most, in milliseconds. */
export interface Timings {
  /** Until terminal_execute and agent_run answer without the end. Default WAIT_MS. */
  readonly waitMs: number;
  /** Between progress notifications. Default PROGRESS_INTERVAL_MS. */
  readonly progressIntervalMs: number;
}

/** An answer in both channels. Clients show a model one of the two: each is complete on its own. */
export interface ToolAnswer<Structured = unknown> {
  /** Text blocks for people and models. */
  readonly text: readonly string[];
  /** The same for programs, as the output schema has it. */
  readonly structured: Structured;
  /** Where the client's person can be asked, this comes first; where not, the answer stands. */
  readonly ask?: AskPerson | undefined;
}

/** MCP's hints about what a tool does to the world. */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint: boolean;
}

/** One tool as it is written. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  /** The listed name: `family_verb`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  readonly annotations: ToolAnnotations;
  readonly handler: (
    args: z.output<Input>,
    context: ToolContext,
  ) => Promise<ToolAnswer<z.output<Output> & Record<string, unknown>>>;
}

/** One tool as the adapter and the documentation use it: any tool, whatever its schemas. */
export interface Tool extends Omit<ToolDefinition<z.ZodObject, z.ZodObject>, "handler"> {
  /** Checks the arguments and does the work. Throws CmdopError InvalidArgument for arguments that don't fit. */
  readonly call: (args: unknown, context: ToolContext) => Promise<ToolAnswer<Record<string, unknown>>>;
}

/** Ties a definition's handler to its schema. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>({
  handler,
  ...data
}: ToolDefinition<Input, Output>): Tool {
  const read = argumentReader(data.input);
  return {
    ...data,
    call: async (args, context) => {
      const parsed = data.input.safeParse(read(args));
      if (parsed.success) return handler(parsed.data, context);
      throw new OwnError(
        "InvalidArgument",
        `${data.name} can't take these arguments:\n${z.prettifyError(parsed.error)}`,
        {
          next: `Correct the arguments; ${data.name} takes ${Object.keys(data.input.shape).join(", ") || "none"}.`,
        },
      );
    },
  };
}
