import { onAbort } from "@cmdop/kit";
import { CmdopError, type RunApproveName, useHash, visible } from "@cmdop/proto";
import { z } from "zod";
import { LOOP_LIMITS } from "./limits.ts";
import type { RunEvents } from "./run-events.ts";

/** A tool's effect on the machine. A tool without any needs no confirmation. */
export type ToolTouch = "reads" | "writes" | "commands";

/**
 * The effects that each setting of `approve` covers. "writes" includes commands, because a command can write
 * too.
 */
const COVERED: Readonly<Record<RunApproveName, readonly ToolTouch[]>> = {
  none: [],
  writes: ["writes", "commands"],
  commands: ["commands"],
  all: ["reads", "writes", "commands"],
};

/** The caller's answer to a question of the run. */
const answerSchema = z.object({
  callId: z.string(),
  /** Hash of the use that the caller has seen. A refusal may leave it empty. */
  hash: z.string(),
  approve: z.boolean(),
  reason: z.string().max(500, "a reason has at most 500 characters"),
});
export type RunAnswer = z.infer<typeof answerSchema>;

/** A use of a tool that is about to begin. */
export interface PendingUse {
  /** Unique in its run, so that an answer can't reach a later use. */
  readonly callId: string;
  readonly tool: string;
  /** The tool's arguments. */
  readonly input: unknown;
  readonly touches: ToolTouch | undefined;
  readonly events: RunEvents;
  readonly signal: AbortSignal;
}

/**
 * The tool uses of a run that wait for the caller's answer. The machine's policy is applied afterwards,
 * whatever the caller answers.
 */
export class Confirmations {
  readonly #covered: readonly ToolTouch[];
  readonly #timeoutMs: number;
  readonly #waiting = new Map<
    string,
    { readonly hash: string; readonly settle: (answer: RunAnswer) => void }
  >();

  /** `timeoutMs`: the longest wait for an answer, in milliseconds. */
  constructor(approve: RunApproveName, timeoutMs: number = LOOP_LIMITS.answerMs) {
    this.#covered = COVERED[approve];
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Waits until the caller confirms the use.
   * @throws CmdopError ApprovalRefused (the caller refused, did not answer in time, or the use has changed
   * since it was shown), or the signal's reason
   */
  async ask({ callId, tool, input, touches, events, signal }: PendingUse): Promise<void> {
    if (touches === undefined || !this.#covered.includes(touches)) return;
    signal.throwIfAborted();
    const said = Promise.withResolvers<RunAnswer | undefined>();
    const stopListening = onAbort(signal, () => said.reject(signal.reason));
    const timer = setTimeout(said.resolve, this.#timeoutMs, undefined);
    const hash = useHash(tool, input);
    this.#waiting.set(callId, { hash, settle: said.resolve });
    try {
      events.write({ type: "asked", callId, tool, hash, expiresAtMs: Date.now() + this.#timeoutMs });
      const answer = await said.promise;
      if (answer === undefined) throw refused(`Its caller has not answered within ${this.#timeoutMs} ms.`);
      const reason = visible(answer.reason);
      events.write({ type: "answered", callId, approved: answer.approve, reason });
      if (!answer.approve) throw refused(`Its caller said no${reason === "" ? "" : `: ${reason}`}.`);
      if (useHash(tool, input) !== hash)
        throw refused("It would now do something else than its caller has seen.");
    } finally {
      this.#waiting.delete(callId);
      clearTimeout(timer);
      stopListening();
    }
  }

  /**
   * Takes the caller's answer. The first answer counts; an approval must name the hash of the use that was
   * shown.
   * @throws CmdopError InvalidArgument, NotFound, ApprovalRefused (the approval is for another use)
   */
  answer(given: RunAnswer): void {
    const { success, data, error } = answerSchema.safeParse(given);
    if (!success)
      throw new CmdopError("InvalidArgument", error.issues.map(({ message }) => message).join("; "));
    const waiting = this.#waiting.get(data.callId);
    if (waiting === undefined) {
      const shown = JSON.stringify(data.callId.slice(0, LOOP_LIMITS.maxCallIdCharacters));
      throw new CmdopError("NotFound", `No tool of this run waits for its caller as ${shown}.`, {
        next: "It may have been answered already, or have expired. A question of the machine's policy is answered with approvals.approve, by another key.",
      });
    }
    if (data.approve && data.hash !== waiting.hash) {
      throw new CmdopError(
        "ApprovalRefused",
        "This approval is for another use of a tool than the one that waits.",
        {
          next: "Read the run's event `asked` and the tool's arguments, and answer with the hash in that event.",
        },
      );
    }
    this.#waiting.delete(data.callId);
    waiting.settle(data);
  }
}

function refused(why: string): CmdopError {
  return new CmdopError("ApprovalRefused", `This use of a tool needs a yes from the run's caller. ${why}`, {
    next: "Do without it, and say in the answer what was not done.",
  });
}
