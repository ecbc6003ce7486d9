import { randomUUID } from "node:crypto";
import { onAbort } from "@cmdop/kit";
import { CmdopError, visible } from "@cmdop/proto";
import { z } from "zod";
import { Shares } from "../shares/shares.ts";

/** Default bounds of waiting calls. */
export const APPROVAL_LIMITS = {
  /**
   * Calls that wait on the machine: as many as one person can review, and one answer to List can hold. Keys
   * share them.
   */
  maxWaiting: 32,
  /**
   * Streams that wait for the same answer: a caller's retries, before their predecessors are known to have
   * ended.
   */
  maxCallers: 16,
  /** Longest description of a call, in bytes of UTF-8: 32 of them must fit into one message. */
  maxTextBytes: 32 * 1024,
} as const;

/** A key that asks or answers. */
export interface Person {
  /** Id of the key; `local` for the local socket. */
  readonly keyId: string;
  readonly keyName: string;
}

/** A call that may run only after a person has approved it. */
export interface Question {
  readonly asker: Person;
  /** Id of the call, for the audit. */
  readonly call: string;
  readonly method: string;
  /**
   * Hash that identifies this call (boundHash): an answer applies to this call alone, never to a later one.
   */
  readonly requestHash: string;
  /** Description of what will run (questionText). */
  readonly what: string;
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts when nobody waits for the answer any more: the call has ended, or its key's right has. */
  readonly signal: AbortSignal;
  /** Called as soon as the call waits. */
  readonly onWaiting?: (waiting: Waiting) => void;
}

/** A waiting call, as shown to the people who can answer. */
export interface Waiting {
  readonly id: string;
  readonly asker: Person;
  readonly method: string;
  readonly requestHash: string;
  readonly what: string;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly askedAtMs: number;
  readonly expiresAtMs: number;
}

/** A step of a question, for the audit. */
export interface ApprovalEvent {
  readonly approval: string;
  readonly call: string;
  /** Hash of the call that an approval is for. */
  readonly hash: string;
  readonly state: "asked" | "approved" | "refused" | "expired" | "withdrawn";
  /** Id and name of the key that has answered. */
  readonly by?: string;
  readonly byName?: string;
  readonly reason?: string;
}

export interface ApprovalsOptions {
  /** Called with each step before it takes effect. If it throws, nobody is asked, or no answer is taken. */
  readonly onEvent?: (event: ApprovalEvent) => void;
  /** Called with the errors of `onEvent` when a wait ends without an answer; the wait ends all the same. */
  readonly onTrouble?: (error: unknown) => void;
  readonly limits?: Partial<Record<keyof typeof APPROVAL_LIMITS, number>>;
}

/** A person's answer. */
const answerSchema = z.object({
  approvalId: z.uuid("an approval's id is a UUID: cmdop approvals lists them"),
  approve: z.boolean(),
  /** Hash of the call as the person has seen it. A refusal may leave it empty. */
  requestHash: z.string(),
  reason: z.string().max(500, "a reason has at most 500 characters"),
});
export type Answer = z.infer<typeof answerSchema>;

interface Entry extends Waiting {
  readonly key: string;
  readonly call: string;
  readonly place: Disposable;
  /** Settled by an answer, the time limit, or the end of the last caller, whichever comes first. */
  readonly settled: PromiseWithResolvers<CmdopError | "yes">;
  callers: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The calls that wait for a person. They are kept in memory, because a call does not outlive the agent
 * either.
 */
export class Approvals {
  readonly #limits: Record<keyof typeof APPROVAL_LIMITS, number>;
  readonly #onEvent: (event: ApprovalEvent) => void;
  readonly #onTrouble: (error: unknown) => void;
  /** Waiting calls by id, the oldest first. */
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

  /** Lists the calls that wait now, the oldest first. */
  list(): readonly Waiting[] {
    return [...this.#waiting.values()];
  }

  /**
   * Checks that one more call may wait, or that the same call of the same key waits already. Called before
   * the description is built.
   * @throws CmdopError LimitExceeded
   */
  checkRoom({ asker, method, requestHash }: Pick<Question, "asker" | "method" | "requestHash">): void {
    const key = keyOf(asker, method, requestHash);
    if ([...this.#waiting.values()].some((entry) => entry.key === key)) return;
    // The place is released at once; without a free one, `take` throws the reason.
    this.#places.take(asker.keyId)[Symbol.dispose]();
  }

  /**
   * Waits until a person approves this very request. The same request of the same key, made again while it
   * waits, waits for the same answer.
   * @throws CmdopError ApprovalRefused (refused, or no answer in time), LimitExceeded, MessageTooLarge,
   * Canceled, or the
   * reason of the signal if that is a CmdopError
   */
  async wait(question: Question): Promise<void> {
    const { signal } = question;
    if (signal.aborted) throw endOf(signal);
    const entry = this.#join(question) ?? this.#ask(question);
    question.onWaiting?.(entry);
    const { promise, reject } = Promise.withResolvers<never>();
    const stopListening = onAbort(signal, () => {
      // This comes first, so that the call ends with this error.
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
   * Takes a person's answer. The first answer counts; an approval must name the hash of the call that was
   * shown.
   * @throws CmdopError InvalidArgument, NotFound (no such call waits), PermissionDenied (the key's own call),
   * ApprovalRefused (the approval is for another call)
   */
  answer(by: Person, answer: Answer): void {
    const { approvalId, approve, requestHash, reason } = checked(answer);
    const entry = this.#waiting.get(approvalId);
    if (entry === undefined) {
      throw new CmdopError("NotFound", `No call waits as ${approvalId}.`, {
        next: "It may have been answered or withdrawn, or have expired: cmdop approvals lists the calls that wait now.",
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
        `This approval is for another call than the one that waits as ${approvalId}.`,
        {
          next: "Look at the waiting call, and answer with its request hash: cmdop approvals shows both.",
        },
      );
    }
    const state = approve ? "approved" : "refused";
    const told = reason === "" ? {} : { reason: visible(reason) };
    this.#tell(entry, state, { by: by.keyId, byName: by.keyName, ...told });
    const no = `${visible(by.keyName)} said no${reason === "" ? "" : `: ${visible(reason)}`}`;
    this.#settle(entry, approve ? "yes" : refused(no));
  }

  /** Ends all waits: the agent shuts down. */
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
      // The audit must show that the one answer applies to this call, too.
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
      this.#drop(entry, "expired", refused(`Nobody has answered within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#waiting.set(entry.id, entry);
    taken.move();
    return entry;
  }

  /**
   * Checks the length of a description. Its builder bounds it; this makes sure that a list of all waiting
   * calls fits into one message.
   */
  #checkText(what: string): void {
    const { maxTextBytes } = this.#limits;
    const bytes = Buffer.byteLength(what);
    if (bytes <= maxTextBytes) return;
    throw new CmdopError(
      "MessageTooLarge",
      `The description of the call has ${bytes} bytes; the limit is ${maxTextBytes}.`,
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
    `This machine's policy requires a person's approval for this call. ${why}.`,
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
