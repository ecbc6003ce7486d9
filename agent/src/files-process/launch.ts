import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import type { OnReadOpts, Socket } from "node:net";
import { dirname } from "node:path";
import { entryFile } from "../entries.ts";
import { covered } from "../jobs/process/private-descriptors.ts";
import { DISK_THREADS } from "./limits.ts";
import { socketPair } from "./socket-pair.ts";

/** A files process that was started, and our end of the pipe to it. */
export interface Launched {
  readonly child: ChildProcess;
  readonly socket: Socket;
  /** Resolves, with how, when it is gone: no thread of it is at work any more. */
  readonly gone: Promise<string>;
}

/** Starts a files process. `onread`: how its pipe is read. */
export async function launch(onread: OnReadOpts): Promise<Launched> {
  const { ours, theirs } = await socketPair(onread);
  try {
    const [stdin = "ignore", stdout = "ignore", stderr = "inherit", , ...more] = covered([
      "ignore",
      "ignore",
      "inherit",
      "ignore",
    ]);
    const options: SpawnOptions = {
      // A place that never goes away, and nothing of our environment, which may hold keys.
      cwd: "/",
      env: environment(),
      // No signal of a terminal may reach it: calls need it until the agent says so.
      detached: true,
      stdio: [stdin, stdout, stderr, theirs, ...more],
    };
    const child = spawn(process.execPath, [entryFile("files")], options);
    const gone = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`));
    });
    return { child, socket: ours, gone };
  } catch (thrown) {
    ours.destroy();
    throw thrown;
  } finally {
    theirs.destroy();
  }
}

/** What the process gets of an environment: the number of its threads, and where compiled sources are kept, if anywhere. */
function environment(): Record<string, string> {
  const cache = getCompileCacheDir();
  return {
    UV_THREADPOOL_SIZE: String(DISK_THREADS),
    ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) }),
  };
}
