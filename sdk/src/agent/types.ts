import type { AgentTypeName, RunApproveName, RunEvent, RunUsage } from "@cmdop/proto";
import type { z } from "zod";
import type { OnWaiting } from "../connection/waiting.ts";
import type { JobOutcomeName, JobStarted, LinkListeners } from "../terminal/types.ts";

export type { RunEvent, RunUsage };

/** The kind of agent: see `RunOptions.agentType`. */
export type AgentType = AgentTypeName;

/** The tool calls that wait for the caller's approval: see `RunOptions.approve`. */
export type RunApprove = RunApproveName;

/** A tool call that waits for the answer of its run's caller. */
export interface AskedUse {
  /** Id of the call, unique in its run. */
  readonly callId: string;
  /** Hash of the tool and its input. An approval is for this call and nothing else. */
  readonly hash: string;
}

/** A JSON Schema (draft 2020-12 or 7) whose references are all within itself. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Options for following a run that was started before. */
export interface ResumeRunOptions<S extends z.ZodType = z.ZodType> extends LinkListeners {
  /** The offset behind the events that are already known; default 0: all events. */
  readonly after?: number | bigint | undefined;
  /** The zod schema that the answer is parsed with. */
  readonly outputSchema?: S | undefined;
  /**
   * Aborting cancels the run and the commands that it started, and waits for its end. To leave it running,
   * stop reading.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest time without a connection, in milliseconds, before the outcome is `unknown`; default 15 minutes,
   * enough for a laptop's sleep or a restart.
   */
  readonly reconnectWindowMs?: number | undefined;
  /** Called with each event as it comes. */
  readonly onEvent?: ((event: RunStreamEvent) => void) | undefined;
}

/** Options of a run. */
export interface RunOptions<S extends z.ZodType = z.ZodType> extends Omit<ResumeRunOptions<S>, "after"> {
  /**
   * `chat`: one answer, no tools. `terminal` (default): commands and files, in as many steps as the budget
   * allows. `command`: one command, and a report. `router`: chooses one of the others. `planner`: plans
   * first, and checks each step.
   */
  readonly agentType?: AgentType | undefined;
  /**
   * Schema of the answer, which must be an object. The machine checks the answer and tells the model once of
   * its errors; the answer is parsed here.
   */
  readonly outputSchema?: S | undefined;
  /**
   * The same as a JSON Schema, for callers without a zod schema: the machine checks the answer; its type here
   * is unknown.
   */
  readonly outputJsonSchema?: JsonSchema | undefined;
  /** Most calls of the model in the run; default 50, at most 500. */
  readonly maxSteps?: number | undefined;
  /** Most tokens of all model calls; default 1,000,000. The last call may exceed it. */
  readonly maxTokens?: number | undefined;
  /** The run's time limit in milliseconds, enforced by the machine; default 30 minutes. */
  readonly timeoutMs?: number | undefined;
  /**
   * Tool calls that wait for your approval: `writes` (all that can change the machine: files, and commands,
   * since these can write too), `commands` (those that run commands or type into sessions; files are changed
   * without asking), `all` (also those that read files); default none. Each comes as an event `asked`, to be
   * answered with `agent.approve` within five minutes; without an answer it is refused. Approvals that the
   * machine's policy requires are asked for in any case.
   */
  readonly approve?: RunApprove | undefined;
  /** The run's id, a UUID; random by default. The same id never runs twice. */
  readonly runId?: string | undefined;
  /** Called when the machine's policy makes the run wait for a person, before it begins. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** A tool call of the model. */
export interface RunToolCall {
  readonly callId: string;
  readonly tool: string;
  readonly input: unknown;
  /** The output that the model read; empty if the run ended before the tool did. */
  readonly output: string;
  /** False if the call was refused, failed, or did not finish. */
  readonly ok: boolean;
  /** The job that the tool started on the machine. */
  readonly jobId: string | undefined;
}

/** The facts of a run, with its answer or without. */
export interface RunFacts {
  readonly runId: string;
  readonly outcome: JobOutcomeName;
  /** The model's last text. */
  readonly text: string;
  /** Number of calls of the model. */
  readonly steps: number;
  readonly toolCalls: readonly RunToolCall[];
  readonly usage: RunUsage;
  readonly durationMs: number;
}

/** A run that has ended with an answer. */
export interface RunResult<T> extends RunFacts {
  readonly outcome: "completed";
  /** The answer, parsed with the schema; the text if there was none. */
  readonly output: T;
}

/** The end of a run. */
export interface RunEnd {
  readonly runId: string;
  readonly outcome: JobOutcomeName;
  /** The reason, if the outcome alone does not say it; otherwise empty. */
  readonly reason: string;
  readonly durationMs: number;
}

/**
 * One event of a run; the last is `ended`. `after` is the offset behind the event: resuming there continues
 * with the next one.
 */
export type RunStreamEvent =
  | ({ readonly type: "started"; readonly runId: string; readonly after: number } & Omit<
      JobStarted,
      "pid" | "shell"
    >)
  | (RunEvent & { readonly after: number })
  /** Events that the machine dropped, for a limit of its own, before they could be read. */
  | { readonly type: "dropped"; readonly bytes: number; readonly after: number }
  | ({ readonly type: "ended"; readonly after: number } & RunEnd);
