import { CmdopError, onAbort } from "@cmdop/proto";

/** Methods whose single answer may be as large as a message can be: 4 MiB. */
const LARGE_ANSWER_METHODS: ReadonlySet<string> = new Set(["/cmdop.v1.Files/Read", "/cmdop.v1.Files/List"]);

/**
 * Such answers that one key may have under way at once: a caller who reads
 * nothing can hold 16 × 4 MiB, three times over as content, message and frame.
 */
const MAX_LARGE_ANSWERS_PER_KEY = 16;

interface Queue {
  underWay: number;
  readonly waiting: Set<() => void>;
}

/**
 * Bounds the large answers that wait in memory for a slow reader. A call beyond
 * the bound waits until one of its own key's is over; other keys never wait.
 * How many can wait is bounded by the streams that a relay lets a key open.
 */
export class LargeAnswers {
  readonly #queues = new Map<string, Queue>();

  /** Keys that have answers under way. */
  get keys(): number {
    return this.#queues.size;
  }

  /** Whether answers of this method are bounded. */
  bounds(path: string): boolean {
    return LARGE_ANSWER_METHODS.has(path);
  }

  /** Resolves when the call may run; its place is given back when `signal` says that its stream is over. */
  async enter(keyId: string, path: string, signal: AbortSignal): Promise<void> {
    if (!this.bounds(path)) return;
    const queue = this.#queues.get(keyId) ?? { underWay: 0, waiting: new Set() };
    this.#queues.set(keyId, queue);
    if (queue.underWay < MAX_LARGE_ANSWERS_PER_KEY) queue.underWay += 1;
    else if (!(await handedPlace(queue, signal))) throw canceled();
    onAbort(signal, () => this.#leave(keyId, queue));
    if (signal.aborted) throw canceled();
  }

  /** Hands the place to whoever waits longest. */
  #leave(keyId: string, queue: Queue): void {
    const [next] = queue.waiting;
    if (next !== undefined) {
      queue.waiting.delete(next);
      next();
      return;
    }
    queue.underWay -= 1;
    if (queue.underWay === 0) this.#queues.delete(keyId);
  }
}

/** True when a call that ended has handed its place over; false when this call is over itself. */
async function handedPlace(queue: Queue, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const take = (): void => resolve(true);
  queue.waiting.add(take);
  const stopListening = onAbort(signal, () => {
    queue.waiting.delete(take);
    resolve(false);
  });
  const handed = await promise;
  stopListening();
  return handed;
}

function canceled(): CmdopError {
  return new CmdopError("Canceled", "The call was over before it was its turn.");
}
