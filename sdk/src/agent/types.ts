import type { AgentTypeName, RunApproveName, RunEvent, RunUsage } from "@cmdop/proto";
import type { z } from "zod";
import type { OnWaiting } from "../connection/waiting.ts";
import type { JobOutcomeName, JobStarted, LinkListeners } from "../terminal/types.ts";

export type { RunEvent, RunUsage };

/** What kind of agent works: see `RunOptions.agentType`. */
export type AgentType = AgentTypeName;

/** Which uses of tools wait for their caller: see `RunOptions.approve`. */
export type RunApprove = RunApproveName;

/** A use of a tool that waits for the word of its run's caller. */
export interface AskedUse {
  /** Unique in its run. */
  readonly callId: string;
  /** What tells it from every other: a yes is for this use and nothing else. */
  readonly hash: string;
}

/** A JSON Schema (draft 2020-12 or 7), its references within itself. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Options of following a run that was started before. */
export interface ResumeRunOptions<S extends z.ZodType = z.ZodType> extends LinkListeners {
  /** The offset behind what is known already; 0, so everything, unless given. */
  readonly after?: number | bigint | undefined;
  /** What the answer is parsed with. */
  readonly outputSchema?: S | undefined;
  /** Aborting cancels the run, and what it started, and waits for the end; to leave it running, stop reading. */
  readonly signal?: AbortSignal | undefined;
  /** How long to go on after a lost connection, in milliseconds, before the outcome is `unknown`; 15 minutes unless given: a laptop's sleep, a restart. */
  readonly reconnectWindowMs?: number | undefined;
  /** Told of each event as it comes. */
  readonly onEvent?: ((event: RunStreamEvent) => void) | undefined;
}

/** Options of a run. */
export interface RunOptions<S extends z.ZodType = z.ZodType> extends Omit<ResumeRunOptions<S>, "after"> {
  /**
   * `chat`: one answer, no tools. `terminal` (unless given): commands and files,
   * as many steps as the budget allows. `command`: one command, and a report.
   * `router` chooses one of the others. `planner` plans first, and checks each step.
   */
  readonly agentType?: AgentType | undefined;
  /** The answer's shape: an object. It is checked on the machine, where the model is told once what is wrong, and parsed here. */
  readonly outputSchema?: S | undefined;
  /** The shape as a JSON Schema of an object, where there is no zod schema: the machine checks the answer, and its type is unknown here. */
  readonly outputJsonSchema?: JsonSchema | undefined;
  /** Calls of the model, all together; 50 unless given, 500 at most. */
  readonly maxSteps?: number | undefined;
  /** Tokens of all calls together; 1,000,000 unless given. The last call may go beyond it. */
  readonly maxTokens?: number | undefined;
  /** The run's time limit in milliseconds, kept by the machine; 30 minutes unless given. */
  readonly timeoutMs?: number | undefined;
  /**
   * Which uses of tools wait for your word: `writes` (whatever can change the
   * machine: files, and commands, which can write as well), `commands` (those that
   * run commands or type into sessions; files are changed unasked), `all` (also
   * those that read files); none unless given. Each is an event `asked`, to be
   * answered with `agent.approve` within five minutes: silence means no. What the
   * machine's policy lets a person decide is asked all the same.
   */
  readonly approve?: RunApprove | undefined;
  /** The run's name, a UUID; made up unless given. The same id never runs twice. */
  readonly runId?: string | undefined;
  /** Told when the machine's policy makes the run wait for a person; it has not begun then. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** A tool that the model used. */
export interface RunToolCall {
  readonly callId: string;
  readonly tool: string;
  readonly input: unknown;
  /** What the model read; empty where the run ended before the tool did. */
  readonly output: string;
  /** False where it was refused, failed, or did not come to its end. */
  readonly ok: boolean;
  /** The job that it started on the machine. */
  readonly jobId: string | undefined;
}

/** What there is to know of a run, with its answer or without. */
export interface RunFacts {
  readonly runId: string;
  readonly outcome: JobOutcomeName;
  /** The model's last text. */
  readonly text: string;
  /** Calls of the model. */
  readonly steps: number;
  readonly toolCalls: readonly RunToolCall[];
  readonly usage: RunUsage;
  readonly durationMs: number;
}

/** A run that came to its answer. */
export interface RunResult<T> extends RunFacts {
  readonly outcome: "completed";
  /** The answer, parsed with the schema; the text where there was none. */
  readonly output: T;
}

/** How a run ended. */
export interface RunEnd {
  readonly runId: string;
  readonly outcome: JobOutcomeName;
  /** Why, where the outcome alone does not say it; otherwise empty. */
  readonly reason: string;
  readonly durationMs: number;
}

/**
 * One event of a run. `after` is the offset behind it: whoever resumes there
 * meets the next one. The last is `ended`.
 */
export type RunStreamEvent =
  | ({ readonly type: "started"; readonly runId: string; readonly after: number } & Omit<
      JobStarted,
      "pid" | "shell"
    >)
  | (RunEvent & { readonly after: number })
  /** Events that a bound of the machine dropped before they could be read. */
  | { readonly type: "dropped"; readonly bytes: number; readonly after: number }
  | ({ readonly type: "ended"; readonly after: number } & RunEnd);
