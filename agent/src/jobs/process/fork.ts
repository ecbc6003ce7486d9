import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { within } from "@cmdop/kit";
import type { JobLimits } from "../limits.ts";
import type { Program } from "./launch.ts";
import { covered } from "./private-descriptors.ts";
import { signalGroup } from "./process-group.ts";
import type { SocketEnd } from "./socket-door.ts";
import type { Spawner } from "./spawner.ts";
import type { Lost } from "./spawner-child.ts";
import type { Exit } from "./spawner-messages.ts";
import { startFailure } from "./start-failure.ts";

/** What a process reads from or writes to: a descriptor, nothing, or a socket of which the agent holds the other end. */
export type End = number | "ignore" | "pipe";

/** A new process, the leader of a session and process group of its own. */
export interface Forked {
  readonly pid: number;
  /** The directory of its cgroup, which it has for itself; undefined where the system gives none. */
  readonly cgroup?: string | undefined;
  readonly exit: Promise<Exit | Lost>;
  /** Our ends of the sockets, each at the index of its process's; null for the rest. */
  readonly sockets: readonly (Socket | null)[];
}

/** Nothing was started, nor will be, and why, in words. */
export interface Refused {
  readonly failed: string;
}

/** How a process is forked. */
export interface ForkOptions {
  readonly limits: Pick<JobLimits, "startWaitMs" | "killGraceMs">;
  /** Whether it is a helper of the agent's rather than a job. */
  readonly isHelper?: boolean;
  /** Gives it up. */
  readonly signal: AbortSignal;
  /** Closes the descriptors of `stdio`: called when they are needed no longer, which may be after the answer. */
  readonly close: () => void;
}

/** By the spawner. Never rejects. */
export async function forkBySpawner(
  spawner: Spawner,
  { program, args, cwd, env }: Program,
  stdio: readonly End[],
  { limits, signal, close, isHelper = false }: ForkOptions,
): Promise<Forked | Refused | Lost> {
  const { startWaitMs, killGraceMs } = limits;
  const sockets = stdio.map((end) => (end === "pipe" ? spawner.expectSocket() : null));
  const requested = stdio.map((end, index) =>
    end === "ignore" ? null : end === "pipe" ? tokenOf(sockets[index]) : end,
  );
  const asked = spawner.start({ program, args, cwd, env, stdio: requested, isJob: !isHelper }, startWaitMs);
  const settled = asked.answer.then((answer) => {
    close();
    return answer;
  });
  const givenUp = async (): Promise<boolean> => {
    void settled.then((late) => {
      if ("pid" in late) signalGroup(late.pid, "SIGKILL");
      for (const socket of sockets) socket?.forget();
    });
    return asked.withdraw();
  };

  let answer = await within(settled, startWaitMs, { signal });
  // Nobody waits for its beginning any more. What can't be kept from it begins in a moment, and can be ended then.
  if (answer === undefined && signal.aborted) {
    if (await asked.withdraw()) return { failed: "It was given up." };
    answer = await within(settled, killGraceMs);
  }
  if (answer === undefined) {
    const reason = `It had not begun ${startWaitMs} ms after it was asked for: its program or its directory may lie on a file system that hangs.`;
    return (await givenUp()) ? { failed: reason } : { lost: reason };
  }
  if (!("pid" in answer)) {
    for (const socket of sockets) socket?.forget();
    return answer;
  }
  // They come before the answer, by another way.
  const ours = await within(
    Promise.all(sockets.map(async (socket) => (await socket?.ours) ?? null)),
    startWaitMs,
  );
  return { ...answer, sockets: ours ?? [] };
}

/** By the agent itself, where there is no spawner. Blocks for as long as a fork takes. Never rejects. */
export async function forkDirectly(
  { program, args, cwd, env }: Program,
  stdio: readonly End[],
  { close }: Pick<ForkOptions, "close">,
): Promise<Forked | Refused> {
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd, env, detached: true, stdio: covered(stdio) });
  } catch (error) {
    close();
    return { failed: startFailure(error, { program, cwd, env }) };
  }
  const { pid } = child;
  close();
  if (pid === undefined) {
    for (const socket of child.stdio) socket?.destroy();
    const error = await new Promise((resolve) => child.once("error", resolve));
    return { failed: startFailure(error, { program, cwd, env }) };
  }
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const sockets = stdio.map((_, index) => {
    const socket = child.stdio[index];
    return socket instanceof Socket ? socket : null;
  });
  return { pid, exit, sockets };
}

function tokenOf(socket: SocketEnd | null | undefined): { token: string } | null {
  return socket ? { token: socket.token } : null;
}
