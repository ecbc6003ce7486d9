import { onAbort, within } from "@cmdop/kit";
import { type AgentTypeName, CmdopError } from "@cmdop/proto";
import type { FileCalls } from "../files-process/file-calls.ts";
import type { Job, Jobs, Outcome } from "../jobs/index.ts";
import type { StopCause } from "../jobs/outcome.ts";
import { watchTime } from "../jobs/time-limit.ts";
import type { JobContext, Work } from "../jobs/work.ts";
import type { Caller } from "../policy/caller.ts";
import { Budget } from "./budget.ts";
import type { Confirmations } from "./confirmations.ts";
import type { Answer } from "./converse.ts";
import { LOOP_LIMITS } from "./limits.ts";
import type { Manners } from "./manners.ts";
import { openModel } from "./providers.ts";
import type { RunRequest } from "./request.ts";
import type { RunContext } from "./run-context.ts";
import { RunEvents } from "./run-events.ts";
import type { OutputSchema } from "./schema/output-schema.ts";
import type { Schemas } from "./schema/schemas.ts";
import { type ModelSettings, secretOf } from "./settings.ts";
import { oneCommandTool, runTools } from "./tools/run-tools.ts";
import type { ToolGate } from "./tools/tool-gate.ts";
import { CallIds } from "./tools/tools.ts";
import { chat } from "./types/chat.ts";
import { command } from "./types/command.ts";
import { planner } from "./types/planner.ts";
import { router } from "./types/router.ts";
import { terminal } from "./types/terminal.ts";
import type { AgentWork } from "./types/types.ts";

const WORK = { chat, terminal, command, router, planner } as const satisfies Record<AgentTypeName, AgentWork>;

/** The dependencies that all runs share. */
export interface LoopCore {
  readonly jobs: Jobs;
  readonly gate: ToolGate;
  /** Checks answers against schemas. */
  readonly schemas: Schemas;
  /** Options that models accept. */
  readonly manners: Manners;
  /** Returns the file operations that a caller may use. */
  readonly files: (caller: Caller) => FileCalls;
  /** Returns one line about the machine, for the model. */
  readonly place: () => string;
}

/** A checked run that is ready to begin. */
export interface PreparedRun {
  readonly request: RunRequest;
  readonly schema: OutputSchema | undefined;
  readonly settings: ModelSettings;
  readonly caller: Caller;
  /** Waits for the answers of the run's caller. */
  readonly confirmations: Confirmations;
}

/** The parts of its job that a run needs. */
type RunJob = Pick<JobContext, "journal" | "maxJobMs">;

/** Error codes of a run that is stopped before its answer. */
const CODES = { timed_out: "DeadlineExceeded", canceled: "Canceled" } as const;
const TIMED_OUT = {
  next: "Give the run more time (timeoutMs, within the machine's policy), or less to do; its events show what it was about.",
};

/** Begins a run, a job without a process. The run ends when everything that it started has ended. */
export function beginRun(core: LoopCore, run: PreparedRun, { journal, maxJobMs }: RunJob): Work {
  const { request, settings } = run;
  const beganAt = performance.now();
  const events = new RunEvents(journal, secretOf(settings));
  const budget = new Budget(request);
  const over = new AbortController();
  const started = new Set<Job>();
  const running = new Set<Promise<unknown>>();
  let cause: StopCause | undefined;

  const stop = (wanted: StopCause): void => {
    // The first reason wins.
    cause ??= wanted;
    over.abort(new CmdopError(CODES[cause.kind], cause.reason, cause.kind === "timed_out" ? TIMED_OUT : {}));
  };
  const endWatch = watchTime(request.timeoutMs || LOOP_LIMITS.defaultTimeoutMs, maxJobMs, stop);
  const own = (job: Job): void => {
    started.add(job);
    const stopListening = onAbort(over.signal, () => {
      job.stop({ kind: "canceled", reason: "The agent's run that started it has ended." });
    });
    job.ended.then(() => {
      stopListening();
      started.delete(job);
    });
  };

  let context: RunContext | undefined;
  const work = async (): Promise<Answer> => {
    const { caller, schema, confirmations } = run;
    const { signal } = over;
    if (schema !== undefined) await core.schemas.check(caller.keyId, schema, signal);
    const ai = await import("ai");
    // The SDK's warnings about provider settings would otherwise go to the console.
    Reflect.set(globalThis, "AI_SDK_LOG_WARNINGS", false);
    const model = await openModel(settings);
    const callIds = new CallIds();
    const maker = { ai, events, signal, running, confirmations, callIds };
    const options = { ...core, caller, own };
    const tools = runTools(options, maker);
    const oneCommand = oneCommandTool(options, maker);
    const read: RunContext["read"] = (wanted, text) => core.schemas.read(caller.keyId, wanted, text, signal);
    const made = { tools, oneCommand, callIds, read, place: core.place() };
    const { manners } = core;
    context = { ai, model, settings, manners, events, budget, caller, ...made, signal, text: "" };
    events.write({
      type: "begun",
      agentType: request.agentType,
      model: `${settings.provider}:${settings.modelId}`,
    });
    return WORK[request.agentType](context, { prompt: request.prompt, schema });
  };

  const conclude = async (): Promise<Outcome> => {
    const end = await Promise.race([work(), aborted(over.signal)]).then(
      (answer) => ({ answer }),
      (thrown: unknown) => ({ error: CmdopError.from(thrown) }),
    );
    endWatch();
    const stopped = cause;
    over.abort(new CmdopError("Canceled", "The run has ended."));
    await Promise.all([...started].map((job) => job.ended));
    await within(Promise.all(running), LOOP_LIMITS.lastWordsMs);

    const summary = { steps: budget.steps, toolCalls: budget.toolCalls, usage: budget.usage };
    const durationMs = performance.now() - beganAt;
    if ("answer" in end) {
      const { text, output } = end.answer;
      events.write({ type: "end", text, ...(output === undefined ? {} : { output }), ...summary });
      return { kind: "completed", durationMs };
    }
    const { code, message, next } = stopped === undefined ? end.error : CmdopError.from(over.signal.reason);
    events.write({ type: "end", text: context?.text ?? "", ...summary, failure: { code, message, next } });
    const reason = events.withoutSecret(message);
    return stopped === undefined ? { kind: "failed", reason, durationMs } : { ...stopped, durationMs };
  };

  return {
    pid: Promise.resolve(0),
    input: Promise.resolve(undefined),
    outcome: conclude().catch((error): Outcome => {
      const reason = `The agent failed while it waited for the end: ${events.withoutSecret(String(error))}`;
      return { kind: "unknown", reason, durationMs: performance.now() - beganAt };
    }),
    stop,
    signal: () => {
      throw new CmdopError("InvalidArgument", "An agent's run takes no signals.", { next: "Cancel it." });
    },
  };
}

/** Rejects when the signal aborts, because a library that ignores it must not keep a run alive. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    onAbort(signal, () => reject(signal.reason));
  });
}
