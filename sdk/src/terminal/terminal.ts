import { CmdopError, Exec, onAbort } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { collect, DEFAULT_MAX_OUTPUT_BYTES } from "./collect.ts";
import { execEnd, execEvent } from "./events.ts";
import { ExecError } from "./exec-error.ts";
import { follow, RECONNECT_WINDOW_MS } from "./follow.ts";
import { feedInput } from "./input.ts";
import { leavable } from "./leavable.ts";
import { isPassing, Pauses } from "./pause.ts";
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
    return leavable(this.#events(command, options, leave), () => leave.abort());
  }

  async *#events(
    command: string | readonly string[],
    options: ExecOptions,
    leave: AbortController,
  ): AsyncGenerator<ExecEvent, void, void> {
    const { signal, reconnectWindowMs = RECONNECT_WINDOW_MS } = options;
    const start = prepareStart(command, options);
    const { jobId } = start;
    if (signal?.aborted) {
      yield canceledBeforeStart(jobId);
      return;
    }
    const over = new AbortController();
    let failure: { readonly thrown: unknown } | undefined;
    const cancel = (): void => {
      this.#cancelUntilHeard(jobId, over.signal).catch((thrown) => {
        // Refused for good: the job goes on, and nobody here can end it.
        failure ??= { thrown };
        leave.abort();
      });
    };
    const stopListening = onAbort(signal, cancel);
    try {
      for await (const event of follow(this.#caller, start, { reconnectWindowMs, leave: leave.signal })) {
        if (event.kind.case === "started" && start.streamedStdin !== undefined) {
          feedInput(this.#caller, jobId, start.streamedStdin, over.signal).catch((thrown) => {
            if (over.signal.aborted) return;
            // Without its input the command would wait for ever.
            failure ??= { thrown };
            cancel();
          });
        }
        const known = execEvent(jobId, event);
        if (known?.type === "ended") over.abort();
        if (known?.type === "ended" && failure !== undefined) break;
        if (known !== undefined) yield known;
      }
    } finally {
      over.abort();
      stopListening();
    }
    if (failure !== undefined) throw failure.thrown;
  }

  /** Cancels, and over a broken connection again until it is answered or the job is over. */
  async #cancelUntilHeard(jobId: string, over: AbortSignal): Promise<void> {
    const pauses = new Pauses();
    while (!over.aborted) {
      try {
        await this.cancel(jobId);
        return;
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (!isPassing(error)) throw error;
      }
      await pauses.wait(over);
    }
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

function canceledBeforeStart(jobId: string): ExecEvent {
  const reason = "canceled before it was sent";
  return { type: "ended", jobId, outcome: "canceled", exitCode: null, signal: null, reason, durationMs: 0 };
}
