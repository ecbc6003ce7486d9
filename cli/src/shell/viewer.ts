import { onAbort } from "@cmdop/kit";
import type { ExecEnd, Session } from "@cmdop/sdk";
import { EXIT_OK } from "../console/exit.ts";
import { terminationSignal } from "../console/signals.ts";
import { EXIT_PIPE_CLOSED, exitCodeOfSignal } from "../jobs/exit-codes.ts";
import { ESCAPE_HELP } from "./escape-keys.ts";
import { FarScreen } from "./far-screen.ts";
import { Keyboard } from "./keyboard.ts";
import { SHELL_RECONNECT_WINDOW_MS } from "./limits.ts";
import { LinkNotice, onRow } from "./link-notice.ts";
import { LocalTerminal, terminalSize } from "./local-terminal.ts";
import { SessionOutput, type ViewStart } from "./session-output.ts";

/** Longest wait for the machine to accept the last keys of a person who leaves, in milliseconds. */
const LAST_KEYS_MS = 2_000;

/** The end of a viewer: with the session, or before it. */
export type Departure =
  | { readonly type: "ended"; readonly end: ExecEnd; readonly droppedBytes: number }
  | {
      readonly type: "detached";
      readonly exitCode: number;
      readonly areKeysLost: boolean;
      readonly droppedBytes: number;
    };

/** Shows a session in this process's terminal and types into it, until it ends or the person leaves. */
export async function view(session: Session, start: ViewStart): Promise<Departure> {
  const output = new SessionOutput(start);
  using local = new LocalTerminal(() => output.undo());
  const leave = new AbortController();
  let areKeysLost = false;
  let reason: { readonly exitCode: number } | { readonly thrown: unknown } | undefined;
  const leaveFor = (first: NonNullable<typeof reason>): void => {
    reason ??= first;
    leave.abort();
  };
  const failed = (thrown: unknown): void => leaveFor({ thrown });
  const stopped = terminationSignal();
  onAbort(stopped, () => leaveFor({ exitCode: exitCodeOfSignal(String(stopped.reason)) }));

  const far = new FarScreen(session, terminalSize, failed);
  local.onResize(() => far.fit());
  const keyboard = new Keyboard(session, local, leave.signal, {
    detach: async () => {
      // Keys from before are for the session.
      areKeysLost = !(await keyboard.flushed(LAST_KEYS_MS));
      leaveFor({ exitCode: EXIT_OK });
    },
    help: () => local.say(`${ESCAPE_HELP}This is session ${session.sessionId}.\n`),
    failed,
  });
  const notice = new LinkNotice(local);
  const mend = (row: number | undefined): void => {
    far.nudge();
    if (row === undefined) return;
    const { offset } = output;
    // Full-screen programs and shells with line editing have drawn the row again by now; a plain prompt has
    // not.
    far.readRow(row, (text) => {
      if (output.offset === offset) local.write(onRow(row, text));
    });
  };
  const chunks = session.attach({
    after: start.after,
    signal: leave.signal,
    reconnectWindowMs: SHELL_RECONNECT_WINDOW_MS,
    onStarted({ outputEnd }) {
      output.begin(outputEnd);
      if (start.isReplay) far.nudge();
    },
    onLink(state) {
      if (state === "lost") notice.lost();
      else mend(notice.back());
    },
  });
  for await (const chunk of chunks) {
    const dropped = output.droppedBytes;
    const isTaken = await local.write(output.push(chunk));
    if (!isTaken) leaveFor({ exitCode: EXIT_PIPE_CLOSED });
    if (output.droppedBytes > dropped) far.nudge();
  }
  await local.write(output.flush());
  const { droppedBytes } = output;
  if (reason === undefined)
    return { type: "ended", end: await session.wait({ signal: leave.signal }), droppedBytes };
  if ("thrown" in reason) throw reason.thrown;
  return { type: "detached", exitCode: reason.exitCode, areKeysLost, droppedBytes };
}
