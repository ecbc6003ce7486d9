import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import os from "node:os";
import path from "node:path";
import { collectYoungBuffers } from "@cmdop/proto/young-buffers";
import { makeTrusted, whyDistrusted } from "./home/trusted-home.ts";

// Halves the start-up time. The cache is code that will run here, so it stays in
// this user's own directory, never in Node's default below /tmp, and is used only
// where nobody else could have put something into it. (A command refuses to run then.)
const home = cmdopHomeOrNone();
if (home !== undefined && whyDistrusted(home) === undefined && existsSync(home)) {
  const cache = path.join(home, "cache");
  try {
    const distrust = makeTrusted(cache);
    if (distrust === undefined) enableCompileCache(cache);
    else process.stderr.write(`warning: ${distrust.reason} It is left alone; rm -r ${cache}\n`);
  } catch (thrown) {
    // On a disk that takes nothing it can't be made, and cmdop starts more slowly.
    process.stderr.write(`warning: starting without a compile cache: ${String(thrown)}\n`);
  }
}

collectYoungBuffers();

// Whoever read our output may leave (| head), or its disk be full: never a crash, never a success.
let outputError: Error | undefined;
process.stdout.on("error", (error: Error) => {
  outputError ??= error;
  process.exitCode ||= 1;
});
// A log that can't be written (its disk is full, its reader gone) is no reason for an agent or a relay to end.
process.stderr.on("error", () => undefined);

const { isErrno } = await import("@cmdop/kit");
const { runProgram } = await import("./program.ts");
const { argumentsWithBytes } = await import("./console/raw-arguments.ts");
const exitCode = await runProgram(argumentsWithBytes(process.argv));
if (exitCode !== 0) process.exitCode = exitCode;
else if (outputError !== undefined && !isErrno(outputError, "EPIPE")) {
  process.stderr.write(`error: the output could not be written: ${outputError.message}\n`);
}

/** Undefined for a user without a home: what needs one says so. */
function cmdopHomeOrNone(): string | undefined {
  try {
    return process.env.CMDOP_HOME ?? path.join(os.homedir(), ".cmdop");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ERR_SYSTEM_ERROR") return undefined;
    throw thrown;
  }
}
