import { stat } from "node:fs/promises";
import path from "node:path";
import { visible } from "@cmdop/proto";
import { CMDOPClient, CmdopError, type Files, type TransferResult } from "@cmdop/sdk";
import type { CopyEnd } from "../commands/cp.ts";
import { EXIT_FAILURE, EXIT_OK, failedWith } from "../exit.ts";
import { EXIT_INTERRUPTED } from "../exit-codes.ts";
import { terminationSignal } from "../signals.ts";
import { ProgressView } from "./progress-view.ts";

/** What was passed over is named up to here; then only counted. */
const MAX_NAMED = 20;

interface RunOptions {
  readonly recursive?: boolean;
  readonly resume?: boolean;
  readonly overwrite: boolean;
  readonly ifMatch?: string;
  readonly quiet?: boolean;
}

/** Copies; the exit code to end with. */
export async function runCp(source: CopyEnd, destination: CopyEnd, options: RunOptions): Promise<number> {
  const signal = terminationSignal();
  await using client = CMDOPClient.fromProfile();
  const filesOf = ({ machine }: CopyEnd): Files | undefined =>
    machine === undefined ? undefined : client.machine(machine).files;
  using view = new ProgressView(process.stderr, options.quiet === true);
  try {
    const from = filesOf(source);
    const to = filesOf(destination);
    const into = await place(to, source.path, destination.path);
    const { recursive, resume, overwrite, ifMatch } = options;
    const settings = { recursive, resume, overwrite, ifMatch, signal, onProgress: view.show };
    const result = await copy(from, source.path, to, into, settings);
    view.done();
    return reportSkipped(result);
  } catch (thrown) {
    view.clear();
    if (!signal.aborted) return failedWith(thrown, EXIT_FAILURE);
    const kept = options.resume === true ? "the same command goes on there" : "nothing was left behind";
    process.stderr.write(`cmdop: interrupted; ${kept}\n`);
    return EXIT_INTERRUPTED;
  }
}

async function copy(
  from: Files | undefined,
  source: string,
  to: Files | undefined,
  destination: string,
  settings: Parameters<Files["upload"]>[2],
): Promise<TransferResult> {
  if (from !== undefined && to !== undefined) return from.transfer(source, to, destination, settings);
  if (from !== undefined) return from.download(source, destination, settings);
  if (to !== undefined) return to.upload(source, destination, settings);
  throw new CmdopError("InvalidArgument", "Both paths are here.");
}

/** The new path itself: a directory that exists takes the source into it, by its name. */
async function place(to: Files | undefined, source: string, destination: string): Promise<string> {
  const isDirectory = to === undefined ? await isLocalDirectory(destination) : await isThere(to, destination);
  if (!isDirectory) return destination;
  const name = path.posix.basename(to === undefined ? source : path.resolve(source));
  if (name === "" || name === "." || name === ".." || name === "~") {
    throw new CmdopError("InvalidArgument", `${visible(source)} has no name to be copied under.`, {
      next: "Name the new path itself as the destination.",
    });
  }
  return to === undefined ? path.join(destination, name) : path.posix.join(destination, name);
}

async function isLocalDirectory(at: string): Promise<boolean> {
  const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.isDirectory() ?? false;
}

async function isThere(to: Files, at: string): Promise<boolean> {
  try {
    await to.list(at, { pageSize: 1 });
    return true;
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code === "NotFound" || code === "NotADirectory") return false;
    // A key that may only write can't know: the path is taken for the new one.
    if (code === "PermissionDenied") return false;
    throw thrown;
  }
}

function reportSkipped({ skipped }: TransferResult): number {
  for (const { path, message } of skipped.slice(0, MAX_NAMED)) {
    process.stderr.write(`cmdop: passed over ${visible(path)}: ${visible(message)}\n`);
  }
  if (skipped.length > MAX_NAMED) {
    process.stderr.write(`cmdop: passed over ${skipped.length - MAX_NAMED} more\n`);
  }
  return skipped.length === 0 ? EXIT_OK : EXIT_FAILURE;
}
