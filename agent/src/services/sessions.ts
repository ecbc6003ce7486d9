import {
  CmdopError,
  type Handlers,
  type SessionsCreateRequest,
  type Sessions as SessionsService,
} from "@cmdop/proto";
import { DEFAULT_SIZE, type Job, type Jobs, type Requester, type SessionRequest } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { requesterOf } from "./job-events.ts";

/** Returns the handlers of `Sessions`: the parts of a session that other jobs do not have. */
export function sessionsHandlers(jobs: Jobs): Handlers<typeof SessionsService, Caller> {
  const terminalOf = (requester: Requester, sessionId: string) => {
    const { terminal, identity } = jobs.get(requester, sessionId);
    if (terminal !== undefined) return terminal;
    const kind = identity.kind === "run" ? "an agent's run" : "a command";
    throw new CmdopError("InvalidArgument", `Job ${sessionId} is ${kind}, which has no terminal.`, {
      next: "Attach to it for its output; create a session where a terminal is needed.",
    });
  };

  return {
    create: async (request, { caller }) => {
      const { job, attached } = jobs.startSession(requesterOf(caller), request.sessionId, requestOf(request));
      const pid = await job.pid;
      if (pid === 0) await checkStart(job);
      return { pid, startedAtMs: job.startedAtMs, attached, inMemory: job.inMemory };
    },

    resize: async ({ sessionId, size }, { caller }) => {
      if (size === undefined) {
        throw new CmdopError("InvalidArgument", "The request names no size.", {
          next: "Give cols and rows.",
        });
      }
      terminalOf(requesterOf(caller), sessionId).resize(size);
      return {};
    },

    screen: async ({ sessionId }, { caller, signal }) => {
      const { lines, ...screen } = await terminalOf(requesterOf(caller), sessionId).screen(signal);
      return { ...screen, lines: [...lines] };
    },

    history: ({ sessionId, maxLines }, { caller, signal }) =>
      terminalOf(requesterOf(caller), sessionId).history(maxLines, signal),
  };
}

/** Throws the reason if a session could not be started; the job keeps its outcome. */
async function checkStart(job: Job): Promise<void> {
  const outcome = await job.ended;
  if (outcome.kind !== "failed_to_start") return;
  throw new CmdopError("InvalidArgument", `The session could not be started. ${outcome.reason}`, {
    next: "Name a shell and a working directory that exist on the machine, and use a new session id.",
  });
}

function requestOf({ shell, size, cwd, env, idleTimeoutMs }: SessionsCreateRequest): SessionRequest {
  return { shell, size: size ?? DEFAULT_SIZE, cwd, env, idleTimeoutMs };
}
