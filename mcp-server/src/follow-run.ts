import { CmdopError, CollectedRun, describeRunEvent, type RunFacts, type RunStreamEvent } from "@cmdop/sdk";

/** How a run that has ended ended, and its output or why there is none. */
export interface RunConclusion {
  readonly facts: RunFacts;
  readonly output: unknown;
  /** Undefined where the run came to its answer. */
  readonly error: CmdopError | undefined;
}

/** A run that is being watched: how far it has come, and its end. */
export interface FollowedRun {
  /** Whether the machine has said that the run is there. */
  readonly hasStarted: boolean;
  /** What is known so far. */
  facts(): RunFacts;
  /** What it did last, on one line. */
  lastLine(maxChars: number): string;
  /** The run's end; rejects with what the stream threw. */
  readonly end: Promise<RunConclusion>;
  /** Stops watching. The run goes on. */
  leave(): Promise<void>;
}

/** Reads a run's events from its beginning on. */
export function followRun(runId: string, events: AsyncIterable<RunStreamEvent>): FollowedRun {
  const iterator = events[Symbol.asyncIterator]();
  const collected = new CollectedRun(runId);
  let hasStarted = false;
  let last = "";

  const readToEnd = async (): Promise<RunConclusion> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const event = next.value;
      collected.add(event);
      if (event.type === "ended") return concluded(collected);
      hasStarted = true;
      last = describeRunEvent(event) ?? last;
    }
    throw new CmdopError("OutcomeUnknown", "The machine's report broke off before the run's end.");
  };

  return {
    end: readToEnd(),
    get hasStarted() {
      return hasStarted;
    },
    facts: () => collected.facts(),
    lastLine: (maxChars) => last.slice(0, maxChars),
    leave: async () => {
      await iterator.return?.();
    },
  };
}

function concluded(collected: CollectedRun): RunConclusion {
  const facts = collected.facts();
  try {
    return { facts, output: collected.result().output, error: undefined };
  } catch (thrown) {
    return { facts, output: undefined, error: CmdopError.from(thrown) };
  }
}
