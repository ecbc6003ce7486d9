import { randomUUID } from "node:crypto";
import { CmdopError, Sessions } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { cancelJob } from "./jobs-calls.ts";
import type { CreateOptions } from "./session-types.ts";
import { checkMilliseconds } from "./start-request.ts";

/** Default size of a terminal, as of the VT100. */
const DEFAULT_COLS = 80;
const DEFAULT_ROWS = 24;

/** Starts a session and returns its id. Throws as Terminal.create does. */
export async function createSession(caller: MachineCaller, options: CreateOptions): Promise<string> {
  const { shell = [], cols = DEFAULT_COLS, rows = DEFAULT_ROWS, cwd = "", env } = options;
  const { sessionId = randomUUID(), idleTimeoutMs = 0, signal, onWaiting } = options;
  checkMilliseconds("idleTimeoutMs", idleTimeoutMs);
  const request = {
    sessionId,
    shell: typeof shell === "string" ? [shell] : [...shell],
    size: { cols, rows },
    cwd,
    env: { ...env },
    idleTimeoutMs,
  };
  try {
    await caller.invoke(
      "/cmdop.v1.Sessions/Create",
      (call) => caller.client(Sessions).create(request, call),
      { signal, onWaiting, jobId: sessionId },
    );
  } catch (thrown) {
    // The session may have been started all the same. A Create that arrives later finds the job canceled.
    if (signal?.aborted) await cancelJob(caller, sessionId);
    const error = CmdopError.from(thrown);
    if (error.code !== "OutcomeUnknown") throw thrown;
    throw new CmdopError(
      "OutcomeUnknown",
      `The session ${sessionId} may have been started: ${error.message}`,
      {
        cause: error,
        jobId: sessionId,
        next: "Reach it with terminal.session(jobId) of this error; terminal.list() shows if it exists.",
      },
    );
  }
  return sessionId;
}
