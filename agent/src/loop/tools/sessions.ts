import { randomUUID } from "node:crypto";
import { Jobs, Sessions } from "@cmdop/proto";
import { z } from "zod";
import { DEFAULT_SIZE } from "../../jobs/index.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { ExecuteOptions } from "./execute.ts";
import { OpenSession, type OpenSessions } from "./open-sessions.ts";
import type { ToolSpec } from "./tools.ts";

export const SESSION_START_METHOD = "/cmdop.v1.Sessions/Create";
export const SESSION_TYPE_METHOD = "/cmdop.v1.Jobs/Input";
export const SESSION_SCREEN_METHOD = "/cmdop.v1.Sessions/Screen";
export const SESSION_CLOSE_METHOD = "/cmdop.v1.Jobs/Cancel";

const sessionId = z.string().describe("What session_start gave.");
const waiting = {
  waitFor: z
    .string()
    .min(1)
    .optional()
    .describe(
      "A text to wait for on the screen (what you type is shown there, too); until nothing moves unless given.",
    ),
  waitMs: z
    .int()
    .min(0)
    .max(LOOP_LIMITS.maxScreenWaitMs)
    .optional()
    .describe(
      `How long to wait for that text, in milliseconds; ${LOOP_LIMITS.defaultScreenWaitMs} unless given.`,
    ),
};

const startInput = z.object({
  program: z
    .array(z.string())
    .optional()
    .describe("A program and its arguments; the login shell unless given."),
  cwd: z.string().optional().describe("Working directory; the home directory unless given."),
});
const typeInput = z.object({
  sessionId,
  text: z
    .string()
    .max(LOOP_LIMITS.maxTypedCharacters)
    .describe("Typed as it is: \\r is Enter, \\u0003 is Ctrl-C, \\u001b is Escape."),
  ...waiting,
});
const screenInput = z.object({ sessionId, ...waiting });
const closeInput = z.object({ sessionId });

/** Makes the tool that starts a program on a terminal, as any caller's session. */
export function sessionStartTool(
  { caller, gate, jobs, own }: ExecuteOptions,
  sessions: OpenSessions,
): ToolSpec<z.infer<typeof startInput>> {
  return {
    name: "session_start",
    touches: "commands",
    description:
      "Starts a session on a terminal of this machine, for programs that ask or show a screen of their own; execute is for all others. Returns its sessionId and its screen.",
    input: startInput,
    run: ({ program = [], cwd = "" }, use) => {
      const sessionId = randomUUID();
      const wanted = { shell: program, size: DEFAULT_SIZE, cwd, env: {}, idleTimeoutMs: 0 };
      const call = { caller, path: SESSION_START_METHOD, type: Sessions.method.create.input, use };
      return gate({ ...call, request: { sessionId, ...wanted } }, async ({ keyId }) => {
        sessions.checkRoom();
        const { job } = jobs.startSession({ keyId, admin: false }, sessionId, wanted);
        own(job);
        const session = new OpenSession(job);
        sessions.add(session);
        // Without a pid the start has failed, which ends the job.
        if ((await job.pid) === 0) await job.ended;
        const { text } = await sessions.look(session, { signal: use.signal });
        return { ok: job.outcome === undefined, text: `sessionId ${sessionId}\n${text}`, jobId: sessionId };
      });
    },
  };
}

/** Makes the tool that types into a session and returns the screen afterwards. */
export function sessionTypeTool(
  { caller, gate }: ExecuteOptions,
  sessions: OpenSessions,
): ToolSpec<z.infer<typeof typeInput>> {
  return {
    name: "session_type",
    touches: "commands",
    description: "Types into a session, waits, and returns its screen.",
    input: typeInput,
    run: async ({ sessionId, text, waitFor, waitMs }, use) => {
      const session = sessions.get(sessionId);
      const call = { caller, path: SESSION_TYPE_METHOD, type: Jobs.method.input.input, use };
      const request = { jobId: sessionId, data: Buffer.from(text) };
      return gate({ ...call, request }, async () => {
        await session.type(text, use.signal);
        return sessions.look(session, { text: waitFor, waitMs, signal: use.signal });
      });
    },
  };
}

/** Makes the tool that waits and returns the screen. */
export function sessionScreenTool(
  { caller, gate }: ExecuteOptions,
  sessions: OpenSessions,
): ToolSpec<z.infer<typeof screenInput>> {
  return {
    name: "session_screen",
    description: "Waits, and returns the screen of a session.",
    input: screenInput,
    run: async ({ sessionId, waitFor, waitMs }, use) => {
      const session = sessions.get(sessionId);
      const call = { caller, path: SESSION_SCREEN_METHOD, type: Sessions.method.screen.input, use };
      return gate({ ...call, request: { sessionId } }, () =>
        sessions.look(session, { text: waitFor, waitMs, signal: use.signal }),
      );
    },
  };
}

/** Makes the tool that ends a session and all programs in it. */
export function sessionCloseTool(
  { caller, gate, jobs }: ExecuteOptions,
  sessions: OpenSessions,
): ToolSpec<z.infer<typeof closeInput>> {
  return {
    name: "session_close",
    description: "Ends a session, and what runs in it.",
    input: closeInput,
    run: async ({ sessionId }, use) => {
      const session = sessions.get(sessionId);
      const call = { caller, path: SESSION_CLOSE_METHOD, type: Jobs.method.cancel.input, use };
      return gate({ ...call, request: { jobId: sessionId } }, async ({ keyId }) => {
        await jobs.cancel({ keyId, admin: false }, sessionId);
        sessions.close(session);
        return { ok: true, text: "closed" };
      });
    },
  };
}
