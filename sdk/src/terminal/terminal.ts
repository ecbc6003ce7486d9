import { CmdopError, Exec, onAbort } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { collect, DEFAULT_MAX_OUTPUT_BYTES } from "./collect.ts";
import { execEnd, execEvent } from "./events.ts";
import { ExecError } from "./exec-error.ts";
import { follow, RECONNECT_WINDOW_MS } from "./follow.ts";
import { feedInput } from "./input.ts";
import { leavable } from "./leavable.ts";
import { prepareStart } from "./start-request.ts";
import type { ExecEnd, ExecEvent, ExecOptions, ExecResult, ExecuteOptions } from "./types.ts";

/** Commands on one machine. */
export class Terminal {
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /**
   * Runs a command to its end: a string as `/bin/sh -c`, an array as argv with
   * no shell in between. A command that fails is a result, not an exception,
   * unless `check: true`. Throws a CmdopError when the command could not be
   * handed over (RelayUnreachable, MachineOffline, PermissionDenied …).
   */
  async execute(command: string | readonly string[], options: ExecuteOptions = {}): Promise<ExecResult> {
    const result = await collect(
      this.stream(command, options),
      options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
    );
    if (options.check && result.exitCode !== 0) throw new ExecError(command, result);
    return result;
  }

  /**
   * Runs a command and yields its events as they come; the last is `ended`.
   * Whoever stops reading (also by `return()` while a `next()` is pending) leaves
   * the command running: only its end, its `timeoutMs`, the `signal` or `cancel`
   * end it.
   */
  stream(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): AsyncGenerator<ExecEvent, void, void> {
    const leave = new AbortController();
    return leavable(this.#events(command, options, leave.signal), () => leave.abort());
  }

  async *#events(
    command: string | readonly string[],
    options: ExecOptions,
    leave: AbortSignal,
  ): AsyncGenerator<ExecEvent, void, void> {
    const { signal, reconnectWindowMs = RECONNECT_WINDOW_MS } = options;
    const start = prepareStart(command, options);
    const { jobId } = start;
    if (signal?.aborted) {
      yield {
        type: "ended",
        jobId,
        outcome: "canceled",
        exitCode: null,
        signal: null,
        reason: "canceled before it was sent",
        durationMs: 0,
      };
      return;
    }
    const over = new AbortController();
    let failure: { thrown: unknown } | undefined;
    const failed = (thrown: unknown): void => {
      if (!over.signal.aborted) failure ??= { thrown };
    };
    const stopListening = onAbort(signal, () => {
      this.cancel(jobId).catch(failed);
    });
    try {
      for await (const event of follow(this.#caller, start, { reconnectWindowMs, leave })) {
        if (event.kind.case === "started" && start.streamedStdin !== undefined) {
          feedInput(this.#caller, jobId, start.streamedStdin, over.signal).catch(failed);
        }
        const known = execEvent(jobId, event);
        if (known?.type === "ended") over.abort();
        if (known !== undefined) yield known;
      }
    } finally {
      over.abort();
      stopListening();
    }
    if (failure !== undefined && !isAfterTheFact(failure.thrown)) throw failure.thrown;
  }

  /** Ends a job (SIGTERM to its process group, SIGKILL after a grace) and returns how it ended. */
  async cancel(jobId: string): Promise<ExecEnd> {
    const exec = this.#caller.client(Exec);
    const { outcome } = await this.#caller.invoke("/cmdop.v1.Exec/Cancel", (call) =>
      exec.cancel({ jobId }, call),
    );
    return execEnd(jobId, outcome);
  }
}

/** Input that found the job ended already is no failure: the job's outcome says all there is to say. */
function isAfterTheFact(thrown: unknown): boolean {
  return thrown instanceof CmdopError && (thrown.code === "JobEnded" || thrown.code === "JobUnknown");
}
