import { CMDOPClient, CmdopError, describeEnd, type Session } from "@cmdop/sdk";
import { failedWith } from "../console/exit.ts";
import { report } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { EXIT_OURS, exitCodeOf } from "../jobs/exit-codes.ts";
import { findJob } from "../jobs/find-job.ts";
import { commandFor, terminalOf } from "../jobs/machine-terminal.ts";
import { waitingMessage } from "../jobs/waiting-message.ts";
import { onMachine } from "../machines/on-machine.ts";
import { terminalSize } from "./local-terminal.ts";
import type { ViewStart } from "./session-output.ts";
import { type Departure, view } from "./viewer.ts";

/**
 * Most old output that `attach` shows, in bytes: some screens, and two seconds on a slow line. Full-screen
 * programs draw their screen again anyway.
 */
const MAX_REPLAY_BYTES = 256 * 1024;

interface Opened {
  readonly session: Session;
  readonly start: ViewStart;
}

/** Starts a session on a machine and shows it. Returns the exit code. */
export function runShell(machine: string | undefined, shell: readonly string[] | undefined): Promise<number> {
  return show(machine, async (client) => {
    const session = await onMachine(client, machine, (name) =>
      terminalOf(client, name).create({ shell, ...terminalSize(), onWaiting: waitingMessage() }),
    );
    return { session, start: { after: 0, isReplay: false, isAlternate: false } };
  });
}

/** Shows an existing session, by its id or the beginning of it. Returns the exit code. */
export function runAttach(machine: string | undefined, id: string): Promise<number> {
  return show(machine, async (client) => {
    const { terminal, job } = await onMachine(client, machine, async (name) => {
      const terminal = terminalOf(client, name);
      return { terminal, job: await findJob(terminal, id) };
    });
    const { jobId, kind, outputStart, outputEnd, outcome } = job;
    if (kind !== "session") {
      throw new CmdopError("InvalidArgument", `The job ${jobId} is a command, not a session.`, {
        next: `Follow its output: ${commandFor("logs --follow", machine, jobId)}`,
      });
    }
    const session = terminal.session(jobId);
    const after = Math.max(outputEnd - MAX_REPLAY_BYTES, outputStart);
    const isAlternate = after > 0 && outcome === null && (await session.screen()).alternate;
    return { session, start: { after, isReplay: true, isAlternate } };
  });
}

async function show(
  machine: string | undefined,
  open: (client: CMDOPClient) => Promise<Opened>,
): Promise<number> {
  let comeBack: string | undefined;
  try {
    await using client = CMDOPClient.fromProfile();
    const { session, start } = await open(client);
    comeBack = commandFor("attach", machine, session.sessionId);
    return reportDeparture(await view(session, start), comeBack);
  } catch (thrown) {
    if (comeBack !== undefined) beginLine();
    const exitCode = failedWith(thrown, EXIT_OURS);
    if (comeBack !== undefined) report(`the session may live on; to come back: ${comeBack}`);
    return exitCode;
  }
}

/** Reports facts that the screen does not show. Returns the exit code. */
function reportDeparture(departure: Departure, comeBack: string): number {
  const isCutOff = departure.type === "detached" || departure.end.outcome !== "exited";
  if (isCutOff) beginLine();
  if (departure.droppedBytes > 0) {
    report(`${departure.droppedBytes} bytes of output were dropped`);
  }
  if (departure.type === "detached") {
    if (departure.areKeysLost) report("the last keys may not have arrived");
    report(`detached, and the session lives on; to come back: ${comeBack}`);
    return departure.exitCode;
  }
  const { end } = departure;
  if (end.outcome !== "exited") report(`the session ${printable(describeEnd(end))}`);
  if (end.outcome === "unknown") report(`to look again: ${comeBack}`);
  return exitCodeOf(end);
}

/**
 * Goes to a new line and clears everything below, because an interrupted program leaves the cursor anywhere.
 */
function beginLine(): void {
  if (process.stdout.isTTY) process.stdout.write("\r\n\x1b[J");
}
