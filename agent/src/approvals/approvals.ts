import { randomUUID } from "node:crypto";
import { onAbort } from "@cmdop/kit";
import { CmdopError, visible } from "@cmdop/proto";
import { z } from "zod";
import { Shares } from "../shares/shares.ts";

/** The bounds of what waits; these are the defaults. */
export const APPROVAL_LIMITS = {
  /** Calls that wait on the machine: what one person may still look through, and one answer to List can hold. Keys share them. */
  maxWaiting: 32,
  /** Streams that wait for the same answer: a caller's retries, while those before are not known to be over. */
  maxCallers: 16,
  /** The longest text of what will run, in bytes of UTF-8: 32 of it must fit into one message. */
  maxTextBytes: 32 * 1024,
} as const;

/** Who asks or answers. */
export interface Person {
  /** The key's id, or `local` for the local socket. */
  readonly keyId: string;
  readonly keyName: string;
}

/** A call that may run only when a person has said yes. */
export interface Question {
  readonly asker: Person;
  /** The id of the call, for the audit. */
  readonly call: string;
  readonly method: string;
  /** The hash that tells this call from every other (boundHash): an answer is for this one, never for whatever comes next. */
  readonly requestHash: string;
  /** The text of what will run (questionText). */
  readonly what: string;
  /** How long silence is waited for, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts when nobody waits for the answer any more: the call is over, or its key's right. */
  readonly signal: AbortSignal;
  /** Called as soon as it waits. */
  readonly onWaiting?: (waiting: Waiting) => void;
}

/** A call that waits, as those see it who can answer. */
export interface Waiting {
  readonly id: string;
  readonly asker: Person;
  readonly method: string;
  readonly requestHash: string;
  readonly what: string;
  /** Milliseconds since 1970 by this machine's clock. */
  readonly askedAtMs: number;
  readonly expiresAtMs: number;
}

/** What became of a question, for the audit. */
export interface ApprovalEvent {
  readonly approval: string;
  readonly call: string;
  /** The hash of what a yes is for. */
  readonly hash: string;
  readonly state: "asked" | "approved" | "refused" | "expired" | "withdrawn";
  /** The id of the key that has answered, and what the owner calls it. */
  readonly by?: string;
  readonly byName?: string;
  readonly reason?: string;
}

export interface ApprovalsOptions {
  /** Told of each step before it counts: where it throws, nobody is asked, or no answer is taken. */
  readonly onEvent?: (event: ApprovalEvent) => void;
  /** Told of what it throws when a call has waited in vain, which ends the wait all the same. */
  readonly onTrouble?: (error: unknown) => void;
  readonly limits?: Partial<Record<keyof typeof APPROVAL_LIMITS, number>>;
}

/** The word of a person. */
const answerSchema = z.object({
  approvalId: z.uuid("an approval's id is a UUID: cmdop approvals lists them"),
  approve: z.boolean(),
  /** Of the call as the person has seen it; a no may leave it empty. */
  requestHash: z.string(),
  reason: z.string().max(500, "a reason has at most 500 characters"),
});
export type Answer = z.infer<typeof answerSchema>;

interface Entry extends Waiting {
  readonly key: string;
  readonly call: string;
  readonly place: Disposable;
  /** Settled by the first of: an answer, the time, the end of the last caller. */
  readonly settled: PromiseWithResolvers<CmdopError | "yes">;
  callers: number;
  timer: NodeJS.Timeout | undefined;
}

/** The calls that wait for a person. Kept in memory: a call does not outlive the agent either. */
export class Approvals {
  readonly #limits: Record<keyof typeof APPROVAL_LIMITS, number>;
  readonly #onEvent: (event: ApprovalEvent) => void;
  readonly #onTrouble: (error: unknown) => void;
  /** By id, the oldest first. */
  readonly #waiting = new Map<string, Entry>();
  readonly #places: Shares;

  constructor({ onEvent = () => undefined, onTrouble = () => undefined, limits }: ApprovalsOptions = {}) {
    this.#onEvent = onEvent;
    this.#onTrouble = onTrouble;
    this.#limits = { ...APPROVAL_LIMITS, ...limits };
    this.#places = new Shares({
      capacity: this.#limits.maxWaiting,
      what: "calls that wait for a person",
      next: "Wait until some have been answered (cmdop approvals).",
    });
  }

  /** The calls that wait now, the oldest first. */
  list(): readonly Waiting[] {
    return [...this.#waiting.values()];
  }

  /**
   * Whether one more may wait, or the same call of the same key waits already:
   * to be asked before what will run is made into a text. @throws CmdopError LimitExceeded
   */
  checkRoom({ asker, method, requestHash }: Pick<Question, "asker" | "method" | "requestHash">): void {
    const key = keyOf(asker, method, requestHash);
    if ([...this.#waiting.values()].some((entry) => entry.key === key)) return;
    // Given back at once: whoever can't have a place hears why.
    this.#places.take(asker.keyId)[Symbol.dispose]();
  }

  /**
   * Resolves when a person has said yes to this very request. The same request
   * of the same key, asked again while it waits, waits for the same answer.
   * @throws CmdopError ApprovalRefused (a no, or silence), LimitExceeded, MessageTooLarge, Canceled, or the
   *   reason of the signal where that is one
   */
  async wait(question: Question): Promise<void> {
    const { signal } = question;
    if (signal.aborted) throw endOf(signal);
    const entry = this.#join(question) ?? this.#ask(question);
    question.onWaiting?.(entry);
    const { promise, reject } = Promise.withResolvers<never>();
    const stopListening = onAbort(signal, () => {
      // First, so that this is what the call ends with.
      reject(endOf(signal));
      this.#leave(entry);
    });
    try {
      const end = await Promise.race([entry.settled.promise, promise]);
      if (end !== "yes") throw end;
    } finally {
      stopListening();
    }
  }

  /**
   * Takes the word of a person. The first counts; a yes names the hash of what was seen.
   * @throws CmdopError InvalidArgument, NotFound (no such call waits), PermissionDenied (one's own call),
   *   ApprovalRefused (a yes to something else)
   */
  answer(by: Person, answer: Answer): void {
    const { approvalId, approve, requestHash, reason } = checked(answer);
    const entry = this.#waiting.get(approvalId);
    if (entry === undefined) {
      throw new CmdopError("NotFound", `No call waits as ${approvalId}.`, {
        next: "It may have been answered, withdrawn or have expired: cmdop approvals lists what waits now.",
      });
    }
    if (by.keyId === entry.asker.keyId) {
      throw new CmdopError("PermissionDenied", "A key can't answer for a call of its own.", {
        next: "Ask somebody who has another key with the scope approve.",
      });
    }
    if (approve && requestHash !== entry.requestHash) {
      throw new CmdopError(
        "ApprovalRefused",
        `The call that waits as ${approvalId} is not what this yes is for.`,
        {
          next: "Look at what waits now, and answer with its request hash: cmdop approvals shows both.",
        },
      );
    }
    const state = approve ? "approved" : "refused";
    const told = reason === "" ? {} : { reason: visible(reason) };
    this.#tell(entry, state, { by: by.keyId, byName: by.keyName, ...told });
    const no = `${visible(by.keyName)} said no${reason === "" ? "" : `: ${visible(reason)}`}`;
    this.#settle(entry, approve ? "yes" : refused(no));
  }

  /** Nobody will be heard any more: the agent shuts down. */
  close(): void {
    for (const entry of [...this.#waiting.values()]) {
      const error = new CmdopError(
        "MachineOffline",
        "The machine's agent shuts down; the call waited for a person.",
      );
      this.#drop(entry, "withdrawn", error);
    }
  }

  #join({ asker, call, method, requestHash }: Question): Entry | undefined {
    const key = keyOf(asker, method, requestHash);
    for (const entry of this.#waiting.values()) {
      if (entry.key !== key) continue;
      if (entry.callers >= this.#limits.maxCallers) {
        throw new CmdopError("LimitExceeded", `${entry.callers} streams wait for this answer already.`);
      }
      // In the audit the one answer is then this call's too.
      if (call !== entry.call) this.#tell({ ...entry, call }, "asked");
      entry.callers += 1;
      return entry;
    }
    return undefined;
  }

  #ask({ asker, call, method, requestHash, what, timeoutMs }: Question): Entry {
    this.#checkText(what);
    using taken = new DisposableStack();
    const place = taken.use(this.#places.take(asker.keyId));
    const askedAtMs = Date.now();
    const entry: Entry = {
      id: randomUUID(),
      key: keyOf(asker, method, requestHash),
      call,
      place,
      asker,
      method,
      requestHash,
      what,
      askedAtMs,
      expiresAtMs: askedAtMs + timeoutMs,
      settled: Promise.withResolvers(),
      callers: 1,
      timer: undefined,
    };
    this.#tell(entry, "asked");
    entry.timer = setTimeout(() => {
      this.#drop(entry, "expired", refused(`Nobody has said yes within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#waiting.set(entry.id, entry);
    taken.move();
    return entry;
  }

  /** The text is bounded where it is built; this makes sure that a list of all that waits fits into one message. */
  #checkText(what: string): void {
    const { maxTextBytes } = this.#limits;
    const bytes = Buffer.byteLength(what);
    if (bytes <= maxTextBytes) return;
    throw new CmdopError(
      "MessageTooLarge",
      `What would run takes ${bytes} bytes to show, and ${maxTextBytes} is the limit.`,
      { next: "Put the command into a file on the machine, and run that." },
    );
  }

  #leave(entry: Entry): void {
    entry.callers -= 1;
    if (entry.callers > 0 || !this.#waiting.has(entry.id)) return;
    this.#drop(
      entry,
      "withdrawn",
      new CmdopError("Canceled", "The call was over before a person had answered."),
    );
  }

  /** Ends the wait without an answer. */
  #drop(entry: Entry, state: "expired" | "withdrawn", error: CmdopError): void {
    this.#settle(entry, error);
    try {
      this.#tell(entry, state);
    } catch (trouble) {
      this.#onTrouble(trouble);
    }
  }

  #tell(
    { id, call, requestHash }: Pick<Entry, "id" | "call" | "requestHash">,
    state: ApprovalEvent["state"],
    more: Partial<ApprovalEvent> = {},
  ): void {
    this.#onEvent({ approval: id, call, hash: requestHash, state, ...more });
  }

  #settle(entry: Entry, end: CmdopError | "yes"): void {
    this.#waiting.delete(entry.id);
    entry.place[Symbol.dispose]();
    clearTimeout(entry.timer);
    entry.settled.resolve(end);
  }
}

function keyOf({ keyId }: Person, method: string, requestHash: string): string {
  return [keyId, method, requestHash].join(" ");
}

function refused(why: string): CmdopError {
  return new CmdopError(
    "ApprovalRefused",
    `This machine's policy lets a person decide about this call. ${why}.`,
  );
}

function endOf({ reason }: AbortSignal): CmdopError {
  if (reason instanceof CmdopError) return reason;
  return new CmdopError("Canceled", "The call was over before a person had answered.");
}

function checked(answer: Answer): Answer {
  const { success, data, error } = answerSchema.safeParse(answer);
  if (success) return data;
  throw new CmdopError("InvalidArgument", error.issues.map(({ message }) => message).join("; "));
}
