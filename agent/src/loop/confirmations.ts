import { onAbort } from "@cmdop/kit";
import { CmdopError, type RunApproveName, useHash, visible } from "@cmdop/proto";
import { z } from "zod";
import { LOOP_LIMITS } from "./limits.ts";
import type { RunEvents } from "./run-events.ts";

/** What a tool does to a machine; one that does none of it needs nobody's word. */
export type ToolTouch = "reads" | "writes" | "commands";

/** What each wish of a caller covers. Who wants to be asked for writes is asked for commands: they can write as well. */
const COVERED: Readonly<Record<RunApproveName, readonly ToolTouch[]>> = {
  none: [],
  writes: ["writes", "commands"],
  commands: ["commands"],
  all: ["reads", "writes", "commands"],
};

/** The word of a run's caller. */
const answerSchema = z.object({
  callId: z.string(),
  /** Of the use that the caller has seen; a no may leave it empty. */
  hash: z.string(),
  approve: z.boolean(),
  reason: z.string().max(500, "a reason has at most 500 characters"),
});
export type RunAnswer = z.infer<typeof answerSchema>;

/** One use of a tool, about to begin. */
export interface PendingUse {
  /** Unique in its run: an answer must not reach a later use. */
  readonly callId: string;
  readonly tool: string;
  /** What it will be used with. */
  readonly input: unknown;
  readonly touches: ToolTouch | undefined;
  readonly events: RunEvents;
  readonly signal: AbortSignal;
}

/** The uses of a run's tools that wait for its caller. What the machine's policy wants comes after, whatever is said here. */
export class Confirmations {
  readonly #covered: readonly ToolTouch[];
  readonly #timeoutMs: number;
  readonly #waiting = new Map<
    string,
    { readonly hash: string; readonly settle: (answer: RunAnswer) => void }
  >();

  /** `timeoutMs`: how long silence is waited for. */
  constructor(approve: RunApproveName, timeoutMs: number = LOOP_LIMITS.answerMs) {
    this.#covered = COVERED[approve];
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves when the tool may be used, as it was asked for. @throws CmdopError ApprovalRefused (a no, silence, or
   * another use by now), or the signal's reason
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
      if (answer === undefined) throw refused(`Its caller has not said yes within ${this.#timeoutMs} ms.`);
      const reason = visible(answer.reason);
      events.write({ type: "answered", callId, approved: answer.approve, reason });
      if (!answer.approve) throw refused(`Its caller said no${reason === "" ? "" : `: ${reason}`}.`);
      if (useHash(tool, input) !== hash)
        throw refused("What it would do now is not what its caller has seen.");
    } finally {
      this.#waiting.delete(callId);
      clearTimeout(timer);
      stopListening();
    }
  }

  /**
   * Takes the word of the run's caller. The first counts; a yes names the hash of what was seen.
   * @throws CmdopError InvalidArgument, NotFound, ApprovalRefused (a yes to something else)
   */
  answer(given: RunAnswer): void {
    const { success, data, error } = answerSchema.safeParse(given);
    if (!success)
      throw new CmdopError("InvalidArgument", error.issues.map(({ message }) => message).join("; "));
    const waiting = this.#waiting.get(data.callId);
    if (waiting === undefined) {
      const shown = JSON.stringify(data.callId.slice(0, LOOP_LIMITS.maxCallIdCharacters));
      throw new CmdopError("NotFound", `No tool of this run waits for its caller as ${shown}.`, {
        next: "It may have been answered, or have expired; what the machine's policy asks is answered with approvals.approve, by another key.",
      });
    }
    if (data.approve && data.hash !== waiting.hash) {
      throw new CmdopError("ApprovalRefused", "What waits is another use of a tool than this yes is for.", {
        next: "Look at the run's event asked, and at what the tool will be used with; answer with its hash.",
      });
    }
    this.#waiting.delete(data.callId);
    waiting.settle(data);
  }
}

function refused(why: string): CmdopError {
  return new CmdopError(
    "ApprovalRefused",
    `This use of a tool waits for the word of the run's caller. ${why}`,
    { next: "Do without it, and say in the answer what was not done." },
  );
}
