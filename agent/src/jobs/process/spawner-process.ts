/**
 * The spawner: a process of the agent's that starts commands for it and reports
 * their pids and ends. A fork copies the page tables of whoever forks, so this
 * process stays small: it keeps nothing and imports nothing but Node's own.
 *
 * Its arguments are the agent's pid, the name of its socket door and the limit on
 * open files that jobs have. It reaches the agent's descriptors by way of /proc,
 * and leaves when the channel to the agent closes, however that came about.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, opendirSync, openSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { connect, type Socket } from "node:net";
import { closeInheritedDescriptors } from "./inherited-descriptors.ts";
import { limitOpenFiles } from "./open-files.ts";
import { Seat } from "./seat.ts";
import {
  isStartRequest,
  type Report,
  type RequestedEnd,
  type StartRequest,
  systemMs,
} from "./spawner-messages.ts";
import { startFailure } from "./start-failure.ts";

closeInheritedDescriptors();

const agentDescriptors = `/proc/${Number(process.argv[2])}/fd`;
const socketDoor = `\0${process.argv[3]}`;
limitOpenFiles(Number(process.argv[4]));
const seat = Seat.find();

/** Bounded by the agent, which has only so many requests unanswered. */
const queue: StartRequest[] = [];

/** Sent to the whole service when it stops: the agent needs us until its jobs have ended. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

process.once("disconnect", () => process.exit());
process.on("message", (message) => {
  if (!isStartRequest(message)) throw new TypeError("the agent sent no start request");
  queue.push(message);
  if (queue.length === 1) setImmediate(startNext);
});

// Where the agent's descriptors can't be opened we are of no use, and say so by not being ready.
opendirSync(agentDescriptors).closeSync();
report({ kind: "ready" });
// Now rather than at the end, which is SIGKILL: the next spawner starts without a compiler in memory.
flushCompileCache();

/** One a turn of the loop, so that in a burst the ends of the first are not told after the starts of all. */
function startNext(): void {
  const [request] = queue;
  if (request === undefined) return;
  const next = (): void => {
    queue.shift();
    if (queue.length > 0) setImmediate(startNext);
  };
  const tokens = request.stdio.flatMap((end) => (typeof end === "object" && end !== null ? [end.token] : []));
  if (tokens.length === 0) {
    start(request, []);
    next();
  } else {
    Promise.all(tokens.map(socketOf))
      .then(
        (sockets) => start(request, sockets),
        (error) => unable(request, error),
      )
      .finally(next);
  }
}

function start(request: StartRequest, sockets: readonly Socket[]): void {
  const { id, program, args, cwd, env, stdio, expiresAtMs } = request;
  const opened: number[] = [];
  const left = [...sockets];
  let child: ChildProcess;
  let cgroup: string | undefined;
  try {
    // The agent has given it up by then, and said so.
    if (systemMs() >= expiresAtMs) throw new Error("it was too late");
    const ends = stdio.map((end, index) => {
      if (end === null) return "ignore";
      if (typeof end !== "number") return left.shift() ?? "ignore";
      const descriptor = reopen(end, index);
      opened.push(descriptor);
      return descriptor;
    });
    cgroup = seat?.take();
    child = spawned(() => spawn(program, args, { cwd, env, detached: true, stdio: ends }));
  } catch (error) {
    if (error instanceof Refusal) report({ kind: "failed", id, reason: startFailure(error.cause, request) });
    else unable(request, error);
    return;
  } finally {
    // At once: while we hold a pipe, its reader sees no end.
    for (const end of opened) closeSync(end);
    for (const socket of sockets) socket.destroy();
  }
  const { pid } = child;
  if (pid === undefined) {
    child.once("error", (error) => report({ kind: "failed", id, reason: startFailure(error, request) }));
    return;
  }
  seat?.use(request.isJob ? "job" : "helper");
  report({ kind: "started", id, pid, cgroup });
  child.once("exit", (code, signal) => report({ kind: "exited", id, code, signal }));
}

/** A descriptor of the agent's. */
function reopen(descriptor: number, index: number): number {
  return openSync(`${agentDescriptors}/${descriptor}`, index === 0 ? constants.O_RDONLY : constants.O_WRONLY);
}

/** A socket of which the agent has the other end. */
function socketOf(token: Exclude<RequestedEnd, number | null>["token"]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketDoor }, () => socket.write(token, () => resolve(socket)));
    socket.once("error", reject);
  });
}

/** The system's no to a command, told apart from trouble of our own. */
class Refusal extends Error {}

/** Node throws some refusals and emits others. */
function spawned(start: () => ChildProcess): ChildProcess {
  try {
    return start();
  } catch (cause) {
    throw new Refusal("not started", { cause });
  }
}

/** Trouble of our own, before anything was started. */
function unable({ id }: StartRequest, error: unknown): void {
  const what = error instanceof Error ? error.message : String(error);
  report({
    kind: "failed",
    id,
    reason: `The agent's helper process that starts commands could not start it: ${what}.`,
  });
}

function report(message: Report): void {
  // Nobody there to be told: the agent is gone.
  process.send?.(message, (error: Error | null) => {
    if (error !== null) process.exit();
  });
}
