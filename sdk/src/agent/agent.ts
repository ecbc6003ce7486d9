import { randomUUID } from "node:crypto";
import { Agent as AgentService, CmdopError, WIRE_AGENT_TYPES, WIRE_RUN_APPROVES } from "@cmdop/proto";
import type { z } from "zod";
import type { MachineCaller } from "../connection/caller.ts";
import type { EventsMethod } from "../terminal/follow.ts";
import { checkMilliseconds } from "../terminal/start-request.ts";
import { CollectedRun } from "./collect-run.ts";
import { cancelRun, followRun } from "./follow-run.ts";
import { parseOutput, wireSchema } from "./output-schema.ts";
import { RunError } from "./run-error.ts";
import type {
  AskedUse,
  JsonSchema,
  ResumeRunOptions,
  RunEnd,
  RunOptions,
  RunResult,
  RunStreamEvent,
} from "./types.ts";

/** LLM agents on one machine, with that machine's own model. */
export class Agent {
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /**
   * Runs an agent to its answer. With `outputSchema` the answer is of its type;
   * otherwise it is the text.
   * @throws RunError where the run has no answer (OutputInvalid, ModelFailed, BudgetSpent, Canceled …): it has
   * all that a result has; CmdopError where the run could not be handed over (ModelMissing, PermissionDenied …)
   */
  run<S extends z.ZodType>(
    prompt: string,
    options: RunOptions<S> & { readonly outputSchema: S },
  ): Promise<RunResult<z.output<S>>>;
  run(
    prompt: string,
    options: RunOptions & { readonly outputJsonSchema: JsonSchema },
  ): Promise<RunResult<unknown>>;
  run(
    prompt: string,
    options?: RunOptions & { readonly outputJsonSchema?: undefined },
  ): Promise<RunResult<string>>;
  async run(prompt: string, options: RunOptions = {}): Promise<RunResult<unknown>> {
    const runId = options.runId ?? randomUUID();
    return this.#collect(runId, this.stream(prompt, { ...options, runId }), options);
  }

  /**
   * Runs an agent and yields its events as they come; the last is `ended`.
   * Whoever stops reading leaves the run running: only its end, its limits, the
   * `signal` or `cancel` end it.
   */
  stream(prompt: string, options: RunOptions = {}): AsyncGenerator<RunStreamEvent, void, void> {
    const { runId = randomUUID(), timeoutMs = 0, maxSteps = 0, maxTokens = 0 } = options;
    const {
      agentType = "terminal",
      approve = "none",
      signal,
      reconnectWindowMs,
      onLink,
      onOffline,
      onWaiting,
    } = options;
    checkMilliseconds("timeoutMs", timeoutMs);
    checkCount("maxSteps", maxSteps);
    checkCount("maxTokens", maxTokens);
    const request = {
      runId,
      prompt,
      agentType: WIRE_AGENT_TYPES[agentType],
      outputSchema: wireSchema(options),
      maxSteps,
      maxTokens,
      timeoutMs,
      approve: WIRE_RUN_APPROVES[approve],
    };
    const start: EventsMethod = {
      path: "/cmdop.v1.Agent/Run",
      open: (after, call) => this.#caller.client(AgentService).run({ ...request, after }, call),
    };
    const link = { reconnectWindowMs, onLink, onOffline };
    return followRun(this.#caller, { runId, start, signal, ...link, onWaiting });
  }

  /**
   * Follows a run that was started before, by this program or another with the
   * same key, to its answer. Of tools and text there is what came after `after`.
   * @throws as run; CmdopError JobUnknown where the machine knows no such run (any more)
   */
  resume<S extends z.ZodType>(
    runId: string,
    options: ResumeRunOptions<S> & { readonly outputSchema: S },
  ): Promise<RunResult<z.output<S>>>;
  resume(runId: string, options?: ResumeRunOptions): Promise<RunResult<unknown>>;
  async resume(runId: string, options: ResumeRunOptions = {}): Promise<RunResult<unknown>> {
    return this.#collect(runId, this.resumeStream(runId, options), options);
  }

  /** The events of a run that was started before, from `after` on. */
  resumeStream(runId: string, options: ResumeRunOptions = {}): AsyncGenerator<RunStreamEvent, void, void> {
    const { after, signal, reconnectWindowMs, onLink, onOffline } = options;
    return followRun(this.#caller, { runId, after, signal, reconnectWindowMs, onLink, onOffline });
  }

  /** Ends a run, with the commands that it has started and that still run, and returns how it ended. */
  cancel(runId: string): Promise<RunEnd> {
    return cancelRun(this.#caller, runId);
  }

  /**
   * Answers for a tool of a run that waits for you: `use` is the event `asked`, or
   * what OpenQuestions has of it, whose hash is that of what it shows. The model is
   * told the reason of a no. The first answer counts.
   * @throws CmdopError NotFound where nothing waits so (any more), ApprovalRefused for a yes to another use, JobEnded,
   *   JobUnknown
   */
  async approve(runId: string, use: AskedUse, answer: "yes" | "no", reason = ""): Promise<void> {
    const { callId, hash } = use;
    const approve = answer === "yes";
    await this.#caller.invoke(
      "/cmdop.v1.Agent/Approve",
      (call) => this.#caller.client(AgentService).approve({ runId, callId, hash, approve, reason }, call),
      { jobId: runId },
    );
  }

  async #collect(
    runId: string,
    events: AsyncIterable<RunStreamEvent>,
    { outputSchema, onEvent }: ResumeRunOptions,
  ): Promise<RunResult<unknown>> {
    const collected = new CollectedRun(runId);
    for await (const event of events) {
      collected.add(event);
      onEvent?.(event);
    }
    const result = collected.result();
    if (outputSchema === undefined) return result;
    try {
      return { ...result, output: parseOutput(outputSchema, result.output) };
    } catch (thrown) {
      throw thrown instanceof CmdopError ? new RunError(thrown, result) : thrown;
    }
  }
}

function checkCount(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return;
  throw new CmdopError("InvalidArgument", `${name} must be a whole number, not ${value}.`);
}
