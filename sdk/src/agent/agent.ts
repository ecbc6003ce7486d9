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

/** LLM agents on one machine, which use that machine's model. */
export class Agent {
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /**
   * Runs an agent and returns its answer: an object of the type of `outputSchema` if that is given, otherwise
   * text.
   * @throws RunError where the run has no answer (OutputInvalid, ModelFailed, BudgetSpent, Canceled …); it
   *   has all fields of a result but the output. CmdopError where the run could not start (ModelMissing,
   *   PermissionDenied …)
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
   * Runs an agent and yields its events as they come; the last is `ended`. The run goes on when the reader
   * stops reading: only its end, its limits, the `signal` or `cancel` end it.
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
   * Follows a run, which this program or another with the same key has started, to its answer. Tool calls and
   * text from before `after` are missing in the result.
   * @throws as run; CmdopError JobUnknown where the machine does not know the run (any more)
   */
  resume<S extends z.ZodType>(
    runId: string,
    options: ResumeRunOptions<S> & { readonly outputSchema: S },
  ): Promise<RunResult<z.output<S>>>;
  resume(runId: string, options?: ResumeRunOptions): Promise<RunResult<unknown>>;
  async resume(runId: string, options: ResumeRunOptions = {}): Promise<RunResult<unknown>> {
    return this.#collect(runId, this.resumeStream(runId, options), options);
  }

  /** Yields the events of a run that was started before, from `after` on. */
  resumeStream(runId: string, options: ResumeRunOptions = {}): AsyncGenerator<RunStreamEvent, void, void> {
    const { after, signal, reconnectWindowMs, onLink, onOffline } = options;
    return followRun(this.#caller, { runId, after, signal, reconnectWindowMs, onLink, onOffline });
  }

  /** Cancels a run and the commands that it has started, and returns its end. */
  cancel(runId: string): Promise<RunEnd> {
    return cancelRun(this.#caller, runId);
  }

  /**
   * Answers a tool call that waits for approval. `use` is the event `asked`, or a question of OpenQuestions,
   * whose hash covers exactly what it shows. The model is told the reason of a refusal. The first answer
   * counts.
   * @throws CmdopError NotFound where no such call waits (any more), ApprovalRefused for a yes to another
   *   call, JobEnded, JobUnknown
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
