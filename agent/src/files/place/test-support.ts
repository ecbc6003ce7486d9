import { execFile } from "node:child_process";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  writeFile,
} from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { CmdopError, type ErrorCode } from "@cmdop/proto";
import { TEMPORARY_PREFIX } from "../unfinished/temporary.ts";
import type { Boundary } from "./boundary.ts";
import { landmark } from "./landmark.ts";
import { procPinning } from "./pin.ts";

/** A directory for one test, gone at its end, with a home and an agent's state in it. */
export interface Scratch extends AsyncDisposable {
  /** Where the test may do what it likes. */
  readonly dir: string;
  readonly home: string;
  readonly stateDir: string;
  /** A path in `dir`. */
  at(...parts: string[]): string;
  /** Makes a file (and the directories above it) in `dir`; its path. */
  file(name: string, content?: string): Promise<string>;
  /** What operations may touch: everything, or what lies in these lists of directories. */
  boundary(...roots: string[][]): Boundary;
}

export async function makeScratch(parent = os.tmpdir()): Promise<Scratch> {
  const dir = await realpath(await mkdtemp(path.join(parent, "cmdop-files-")));
  const home = path.join(dir, "home");
  const stateDir = path.join(home, ".cmdop");
  await mkdir(stateDir, { recursive: true });
  await writeFile(path.join(stateDir, "machine.key"), STATE_SECRET);
  const state = await landmark(stateDir);
  const at = (...parts: string[]): string => path.join(dir, ...parts);
  return {
    dir,
    home,
    stateDir,
    at,
    async file(name, content = name) {
      await mkdir(path.dirname(at(name)), { recursive: true });
      await writeFile(at(name), content);
      return at(name);
    },
    boundary: (...roots) => ({ home, state, program: [], roots, pinning: procPinning }),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** What stands in the agent's state, and must come out nowhere. */
export const STATE_SECRET = "the key of this machine";

/** A signal that nobody aborts. */
export const NEVER: AbortSignal = new AbortController().signal;

/** The CmdopError that something is refused with; throws where it is not refused. */
export async function refusal(promise: Promise<unknown>): Promise<CmdopError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof CmdopError) return thrown;
  throw new Error(`expected a CmdopError, got ${String(thrown)}`, { cause: thrown });
}

/** The code that something is refused with. */
export async function refusalCode(promise: Promise<unknown>): Promise<ErrorCode> {
  return (await refusal(promise)).code;
}

/** Whether anything unfinished lies anywhere below a directory. */
export async function leftovers(directory: string): Promise<string[]> {
  const names = Object.keys(await snapshot(directory));
  return names.filter((name) => path.basename(name).startsWith(TEMPORARY_PREFIX));
}

/** A whole tree as text, to compare: each path with its type and content. Follows no link, as readdir's own recursion would. */
export async function snapshot(directory: string, below = ""): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const name of (await readdir(path.join(directory, below))).sort()) {
    const each = path.join(below, name);
    const file = path.join(directory, each);
    const stats = await lstat(file);
    if (stats.isSymbolicLink()) tree[each] = `-> ${await readlink(file)}`;
    else if (stats.isFile()) tree[each] = await readFile(file, "latin1");
    else tree[each] = stats.isDirectory() ? "directory" : "other";
    if (stats.isDirectory()) Object.assign(tree, await snapshot(directory, each));
  }
  return tree;
}

/** Runs a program of the system to its end. */
export const run = promisify(execFile);

/** Why no filesystem can be mounted here; undefined where one can. */
export async function whyNoMount(scratch: Scratch): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting needs root on Linux";
  const probe = scratch.at("probe");
  await mkdir(probe);
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]);
  } catch (thrown) {
    return `mount does not work here: ${String(thrown)}`;
  }
  await run("umount", [probe]);
  return undefined;
}

/** A mounted filesystem, unmounted at the end. */
export async function mounted(directory: string, args: readonly string[]): Promise<AsyncDisposable> {
  await mkdir(directory, { recursive: true });
  await run("mount", [...args, directory]);
  return {
    async [Symbol.asyncDispose]() {
      await run("umount", [directory]);
    },
  };
}

/** One file mounted over another, unmounted at the end. */
export async function mountedFile(over: string, source: string): Promise<AsyncDisposable> {
  await run("mount", ["--bind", source, over]);
  return {
    async [Symbol.asyncDispose]() {
      await run("umount", [over]);
    },
  };
}

/** All items of a stream. */
export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
