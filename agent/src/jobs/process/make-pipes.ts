import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import { isErrno, within } from "@cmdop/kit";
import { JOB_LIMITS } from "../limits.ts";
import { type Forked, forkBySpawner, forkDirectly } from "./fork.ts";
import type { Spawner } from "./spawner.ts";

/**
 * Makes $1 pipes, and holds them until its standard input ends. Each step of the recursion
 * makes one: from a here-document where the shell has a pipe for those (no fork), else from
 * a pipeline. What descriptor 3 was before, a shell keeps open, to put it back.
 */
const HOLD_PIPES = `
exec 4<&0
hold() {
  if [ "$1" = 0 ]; then read -r pid rest </proc/self/stat; echo "$pid"; read -r end <&4
  elif [ "$here" ]; then hold $(($1 - 1)) 3<<.

.
  else : | { hold $(($1 - 1)) 3<&0; return; }
  fi
}
here=
[ -p /proc/self/fd/3 ] 3<<. && here=1

.
hold "$1"
`;

/** What a here-document leaves in its pipe, and more. */
const REST_BYTES = 16;

/** Making pipes is not given up. */
const NEVER = new AbortController().signal;

/**
 * Pipes without a name, each opened for both directions, which never blocks. Node can't
 * make one, but a shell can, and /proc opens what the shell has. Without a spawner the fork
 * blocks the agent. Linux only. @throws Error where there is no such shell, or the limit on open files is reached
 */
export async function makePipes(count: number, spawner: Spawner | undefined): Promise<number[]> {
  const program = {
    program: "/bin/sh",
    args: ["-c", HOLD_PIPES, "cmdop", String(count)],
    cwd: "/",
    env: {},
  };
  const stdio = ["pipe", "pipe", "ignore"] as const;
  const options = { limits: JOB_LIMITS, signal: NEVER, close: () => undefined, isHelper: true };
  const forked = await (spawner?.enabled
    ? forkBySpawner(spawner, program, stdio, options)
    : forkDirectly(program, stdio, options));
  if (!("pid" in forked)) throw new Error("failed" in forked ? forked.failed : forked.lost);
  try {
    const pipes = openPipesOf(await holderOf(forked));
    if (pipes.length === 0) throw new Error("the shell that makes pipes has made none");
    return pipes;
  } finally {
    // Its standard input among them: it ends.
    for (const socket of forked.sockets) socket?.destroy();
  }
}

/** The process that has the pipes: the shell, or a child of its. */
async function holderOf({ sockets, exit }: Forked): Promise<number> {
  const [, said] = sockets;
  if (!said) throw new Error("the shell that makes pipes can't be heard");
  const line = await within(Promise.race([firstLine(said), exit]), JOB_LIMITS.startWaitMs);
  const pid = typeof line === "string" ? Number(line) : 0;
  if (pid > 1) return pid;
  throw new Error("the shell that makes pipes did not get so far");
}

/** Pending where it ends before. */
function firstLine(stream: Readable): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  stream.setEncoding("latin1");
  stream.on("data", (piece: string) => {
    text += piece;
    if (text.includes("\n")) resolve(text);
  });
  return promise;
}

/** Opens the pipes of a process, but for those that it was handed on the way: they are ours as well. */
function openPipesOf(pid: number): number[] {
  const handedOn = pipesOf("self");
  const pipes: number[] = [];
  try {
    for (const [pipe, descriptor] of pipesOf(pid)) {
      if (handedOn.has(pipe)) continue;
      pipes.push(openSync(`/proc/${pid}/fd/${descriptor}`, constants.O_RDWR | constants.O_NONBLOCK));
    }
    for (const pipe of pipes) drain(pipe);
    return pipes;
  } catch (error) {
    for (const pipe of pipes) closeSync(pipe);
    throw error;
  }
}

/** A descriptor of each pipe that a process has, by the pipe's name in /proc. */
function pipesOf(pid: number | "self"): Map<string, string> {
  const found = new Map<string, string>();
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    const name = nameOf(`/proc/${pid}/fd/${descriptor}`);
    if (name.startsWith("pipe:")) found.set(name, descriptor);
  }
  return found;
}

/** Empty where the descriptor is gone: that of the listing itself. */
function nameOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}

function drain(pipe: number): void {
  try {
    readSync(pipe, Buffer.alloc(REST_BYTES));
  } catch (error) {
    if (!isErrno(error, "EAGAIN")) throw error;
  }
}
