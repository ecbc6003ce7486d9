import {
  CmdopError,
  CollectedRun,
  describeRunEvent,
  type LinkLoss,
  LinkWatch,
  OpenQuestions,
  type RunFacts,
  type RunQuestion,
  type RunStreamEvent,
} from "@cmdop/sdk";
import { OwnError } from "./own-error.ts";

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
  /** What is known of the connection, where it is lost. */
  readonly loss: LinkLoss | undefined;
  /** What is known so far. */
  facts(): RunFacts;
  /** What it did last, on one line. */
  lastLine(maxChars: number): string;
  /** What waits for the run's caller now. */
  questions(): readonly RunQuestion[];
  /** Resolves when something waits for the run's caller. */
  readonly asked: Promise<void>;
  /** The run's end; rejects with what the stream threw. */
  readonly end: Promise<RunConclusion>;
  /** Stops watching. The run goes on. */
  leave(): Promise<void>;
}

/** Reads a run's events from its beginning on, and lets go of them at their end. `link` is told by the stream itself. */
export function followRun(
  runId: string,
  events: AsyncGenerator<RunStreamEvent, void, void>,
  link: LinkWatch = new LinkWatch(),
): FollowedRun {
  const collected = new CollectedRun(runId);
  const open = new OpenQuestions();
  const asked = Promise.withResolvers<void>();
  let hasStarted = false;
  let last = "";
  /** Where the journal ended when it was opened: a question before it may have been answered since. */
  let pastEnd = 0;
  let isPast = true;

  const readToEnd = async (): Promise<RunConclusion> => {
    for await (const event of events) {
      collected.add(event);
      open.add(event);
      if (event.type === "started") pastEnd = event.outputEnd;
      isPast = event.after < pastEnd;
      if (!isPast && open.open.length > 0) asked.resolve();
      if (event.type === "ended") return concluded(collected);
      hasStarted = true;
      last = describeRunEvent(event) ?? last;
    }
    throw new OwnError("OutcomeUnknown", "The machine's report broke off before the run's end.");
  };

  return {
    end: readToEnd(),
    get hasStarted() {
      return hasStarted;
    },
    get loss() {
      return link.loss;
    },
    facts: () => collected.facts(),
    questions: () => (isPast ? [] : open.open),
    asked: asked.promise,
    lastLine: (maxChars) => last.slice(0, maxChars),
    leave: async () => {
      await events.return();
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
