/**
 * The spawner: a process of the agent's that starts commands for it and reports
 * their pids and ends. A fork copies the page tables of whoever forks, so this
 * process stays small: it keeps nothing and imports nothing but Node's own.
 *
 * Its argument is the agent's pid. It reaches the agent's descriptors by way of
 * /proc, and leaves when the channel to the agent closes, however that came about.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, opendirSync, openSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { isStartRequest, plainError, type Report, type StartRequest } from "./spawner-messages.ts";

const agentDescriptors = `/proc/${Number(process.argv[2])}/fd`;

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
  if (request !== undefined) start(request);
  queue.shift();
  if (queue.length > 0) setImmediate(startNext);
}

function start({ id, program, args, cwd, env, stdio }: StartRequest): void {
  const opened: number[] = [];
  let child: ChildProcess;
  try {
    const ends = stdio.map((fd, index) => {
      if (fd === null) return "ignore";
      const end = openSync(
        `${agentDescriptors}/${fd}`,
        index === 0 ? constants.O_RDONLY : constants.O_WRONLY,
      );
      opened.push(end);
      return end;
    });
    child = spawned(() => spawn(program, args, { cwd, env, detached: true, stdio: ends }));
  } catch (error) {
    report(
      error instanceof Refusal
        ? { kind: "failed", id, error: plainError(error.cause) }
        : { kind: "unable", id, error: plainError(error) },
    );
    return;
  } finally {
    // At once: while we hold a pipe, its reader sees no end.
    for (const end of opened) closeSync(end);
  }
  const { pid } = child;
  if (pid === undefined) {
    child.once("error", (error) => report({ kind: "failed", id, error: plainError(error) }));
    return;
  }
  report({ kind: "started", id, pid });
  child.once("exit", (code, signal) => report({ kind: "exited", id, code, signal }));
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

function report(message: Report): void {
  // Nobody there to be told: the agent is gone.
  process.send?.(message, (error: Error | null) => {
    if (error !== null) process.exit();
  });
}
