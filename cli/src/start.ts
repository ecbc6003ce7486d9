import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import path from "node:path";
import { errnoOf, isErrno, userHome } from "@cmdop/kit";
import { collectYoungBuffers } from "@cmdop/proto/young-buffers";
import { makeTrusted, whyDistrusted } from "./home/trusted-home.ts";

// Halves the start-up time. The cache is code that will run here, so it stays in
// this user's own directory, never in Node's default below /tmp, and is used only
// where nobody else could have put something into it. (A command refuses to run then.)
const home = trustedHome();
if (home !== undefined) {
  const cache = path.join(home, "cache");
  try {
    const distrust = makeTrusted(cache);
    if (distrust === undefined) enableCompileCache(cache);
    else process.stderr.write(`warning: ${distrust.reason} It is left alone; rm -r ${cache}\n`);
  } catch (thrown) {
    // On a disk that takes nothing it can't be made, and cmdop starts more slowly.
    if (!isErrno(thrown, "EROFS", "EACCES", "EPERM")) {
      process.stderr.write(`warning: starting without a compile cache: ${String(thrown)}\n`);
    }
  }
}

collectYoungBuffers();

/** What a shell makes of a program that SIGPIPE ended. */
const EXIT_PIPE_CLOSED = 141;

// Whoever read our output may leave (| head), or its disk be full: never a crash, never a success.
let outputError: Error | undefined;
process.stdout.on("error", (error: Error) => {
  outputError ??= error;
  process.exitCode ||= isErrno(error, "EPIPE") ? EXIT_PIPE_CLOSED : 1;
});
// A log that can't be written (its disk is full, its reader gone) is no reason for an agent or a relay to end.
process.stderr.on("error", () => undefined);

const { runProgram } = await import("./program.ts");
const { argumentsWithBytes } = await import("./console/raw-arguments.ts");
const exitCode = await runProgram(argumentsWithBytes(process.argv));
if (exitCode !== 0) process.exitCode = exitCode;
else if (outputError !== undefined && !isErrno(outputError, "EPIPE")) {
  process.stderr.write(`error: the output could not be written: ${outputError.message}\n`);
}

/** The home, if it is there and nobody else can have put anything into it. Whatever else it is, commands say. */
function trustedHome(): string | undefined {
  const home = process.env.CMDOP_HOME || userHomeFile(".cmdop");
  if (home === undefined) return undefined;
  try {
    return whyDistrusted(home) === undefined && existsSync(home) ? home : undefined;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return undefined;
  }
}

function userHomeFile(name: string): string | undefined {
  const home = userHome();
  return home === undefined ? undefined : path.join(home, name);
}
