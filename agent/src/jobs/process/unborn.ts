import { LAUNCHER_NAME } from "./launch.ts";
import { sendSignal } from "./process-group.ts";
import { processes, statOf } from "./process-table.ts";

/**
 * Ends a process that has not become its program yet; true where it is certain
 * that it never will. Stopped first: who is seen on its way then stays there, and
 * SIGKILL comes before any of the program's code, also where the kernel takes its
 * time because a file system does not answer.
 */
export function endUnborn(pid: number, isUnborn: (name: string) => boolean): boolean {
  // Not at all where it has been born: a stop and a continue would be seen.
  const seen = (): boolean => isUnborn(statOf(pid)?.name ?? "");
  if (!seen()) return false;
  sendSignal(pid, "SIGSTOP");
  if (seen()) {
    sendSignal(pid, "SIGKILL");
    return true;
  }
  sendSignal(pid, "SIGCONT");
  return false;
}

/** Whether a process is still the shell of launch.ts. */
export function isLauncher(name: string): boolean {
  return name === LAUNCHER_NAME;
}

/** Ends what a spawner has forked and does not get to run; true where there was such a thing. */
export async function endForked(spawner: number, started: ReadonlySet<number>): Promise<boolean> {
  const name = statOf(spawner)?.name;
  const forked = (await processes()).filter(({ parent, pid }) => parent === spawner && !started.has(pid));
  return forked.filter(({ pid }) => endUnborn(pid, (own) => own === name)).length > 0;
}
