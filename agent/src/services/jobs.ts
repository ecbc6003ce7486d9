import { CmdopError, type Handlers, type Jobs as JobsService } from "@cmdop/proto";
import { checkSignal, checkUuid, type Job, type Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { follow, JOB_KINDS, requesterOf, wireEvent, wireOutcome } from "./job-events.ts";

/** Returns the handlers of `Jobs`: everything that all kinds of jobs have in common. */
export function jobsHandlers(jobs: Jobs): Handlers<typeof JobsService, Caller> {
  return {
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
        const { job } = writer;
        const accepted = await job.input({ writerId: writer.writerId, offset, data, eof }, signal);
        yield { accepted, outputEnd: job.journal.end };
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

    list: async ({ kind, running }, { caller }) => ({
      jobs: jobs
        .list(requesterOf(caller), ({ identity, outcome }) => {
          const isKind = kind === 0 || kind === JOB_KINDS[identity.kind];
          return isKind && !(running && outcome !== undefined);
        })
        .map(({ identity, startedAtMs, journal, outcome }) => ({
          jobId: identity.id,
          kind: JOB_KINDS[identity.kind],
          command: identity.summary,
          startedAtMs,
          outputStart: journal.start,
          outputEnd: journal.end,
          ...(outcome === undefined ? {} : { outcome: wireOutcome(outcome) }),
        })),
    }),
  };
}

/**
 * Compares a field of a later message with the first one's. Later messages of an input stream may leave it
 * empty.
 */
function differs(value: string, first: string): boolean {
  return value !== "" && value !== first;
}
