import {
  Channel,
  CmdopError,
  type Exec,
  type ExecStartRequest,
  type Handlers,
  OutcomeKind,
} from "@cmdop/proto";
import {
  type Command,
  checkSignal,
  checkUuid,
  type Job,
  type JobEvent,
  type Jobs,
  type Outcome,
  type Requester,
} from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";

/** The Exec service: translates between the wire and the jobs core, and does nothing else. */
export function execHandlers(jobs: Jobs): Handlers<typeof Exec, Caller> {
  return {
    start: async function* (request, { caller, signal }) {
      const requester = requesterOf(caller);
      const { job, attached } = jobs.start(requester, request.jobId, commandOf(request));
      for await (const event of follow(job, requester, request.after, attached, signal)) {
        yield { event: wireEvent(event) };
      }
    },

    attach: async function* ({ jobId, after }, { caller, signal }) {
      const requester = requesterOf(caller);
      const job = jobs.get(requester, jobId);
      for await (const event of follow(job, requester, after, true, signal))
        yield { event: wireEvent(event) };
    },

    input: async function* (requests, { caller, signal }) {
      let writer: { readonly job: Job; readonly jobId: string; readonly writerId: string } | undefined;
      for await (const { jobId, writerId, offset, data, eof } of requests) {
        if (writer === undefined) {
          checkUuid("A writer id", writerId);
          writer = { job: jobs.get(requesterOf(caller), jobId), jobId, writerId };
        } else if (differs(jobId, writer.jobId) || differs(writerId, writer.writerId)) {
          throw new CmdopError("InvalidArgument", "An input stream belongs to one job and one writer.", {
            next: "Open another stream for another job or writer.",
          });
        }
        yield { accepted: await writer.job.input({ writerId: writer.writerId, offset, data, eof }, signal) };
      }
    },

    cancel: async ({ jobId }, { caller }) => ({
      outcome: wireOutcome(await jobs.cancel(requesterOf(caller), jobId)),
    }),

    signal: async ({ jobId, signal: name }, { caller }) => {
      const signal = checkSignal(name);
      jobs.get(requesterOf(caller), jobId).signal(signal);
      return {};
    },

    list: async (_request, { caller }) => ({
      jobs: jobs.list(requesterOf(caller)).map(({ identity, startedAtMs, journal, outcome }) => ({
        jobId: identity.id,
        command: identity.summary,
        startedAtMs,
        outputBytes: journal.end,
        ...(outcome === undefined ? {} : { outcome: wireOutcome(outcome) }),
      })),
    }),
  };
}

function requesterOf({ keyId, scopes }: Caller): Requester {
  return { keyId, admin: scopes.has("admin") };
}

/** A job waits for a reader of its own key, the one that came first; whoever else looks on may lose output, never hold it up. */
function follow(
  job: Job,
  { keyId }: Requester,
  after: bigint,
  attached: boolean,
  signal: AbortSignal,
): AsyncIterable<JobEvent> {
  return job.events({ after, attached, holds: job.identity.keyId === keyId, signal });
}

function commandOf({ command, cwd, env, timeoutMs, stdinOpen, stdin }: ExecStartRequest): Command {
  if (command.case === undefined) {
    throw new CmdopError("InvalidArgument", "The request names no command.", {
      next: "Give a shell line, or a program and its arguments.",
    });
  }
  const run = command.case === "shell" ? { shell: command.value } : { argv: command.value.args };
  return { run, cwd, env, timeoutMs, stdinOpen, stdin };
}

/** Later messages of an input stream need not repeat what the first one said. */
function differs(value: string, first: string): boolean {
  return value !== "" && value !== first;
}

const CHANNELS = { stdout: Channel.STDOUT, stderr: Channel.STDERR } as const;

const OUTCOME_KINDS = {
  exited: OutcomeKind.EXITED,
  signaled: OutcomeKind.SIGNALED,
  timed_out: OutcomeKind.TIMED_OUT,
  canceled: OutcomeKind.CANCELED,
  failed_to_start: OutcomeKind.FAILED_TO_START,
  unknown: OutcomeKind.UNKNOWN,
} as const satisfies Record<Outcome["kind"], OutcomeKind>;

function wireOutcome(outcome: Outcome) {
  return {
    kind: OUTCOME_KINDS[outcome.kind],
    durationMs: outcome.durationMs,
    reason: "reason" in outcome ? outcome.reason : "",
    ...("exitCode" in outcome ? { exitCode: outcome.exitCode } : {}),
    ...("signal" in outcome && outcome.signal !== undefined ? { signal: outcome.signal } : {}),
  };
}

function wireEvent(event: JobEvent) {
  const { offset } = event;
  switch (event.kind) {
    case "started": {
      const { jobId, attached, pid, startedAtMs } = event;
      return { offset, kind: { case: "started", value: { jobId, attached, pid, startedAtMs } } } as const;
    }
    case "output": {
      const value = { channel: CHANNELS[event.channel], data: event.bytes };
      return { offset, kind: { case: "output", value } } as const;
    }
    case "dropped":
      return { offset, kind: { case: "dropped", value: { bytes: event.bytes } } } as const;
    case "ended":
      return { offset, kind: { case: "ended", value: { outcome: wireOutcome(event.outcome) } } } as const;
  }
}
