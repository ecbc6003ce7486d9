#!/usr/bin/env node
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import os from "node:os";
import path from "node:path";
import { collectYoungBuffers } from "@cmdop/proto/young-buffers";

// Halves the start-up time. The cache is code that will run here, so it stays in
// this user's own directory, never in Node's default below /tmp.
const home = process.env.CMDOP_HOME ?? path.join(os.homedir(), ".cmdop");
if (existsSync(home)) enableCompileCache(path.join(home, "cache"));

collectYoungBuffers();

// Whoever read our output may leave (| head), or its disk be full: never a crash, never a success.
let outputError: NodeJS.ErrnoException | undefined;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  outputError ??= error;
  process.exitCode ||= 1;
});
// A log that can't be written (its disk is full, its reader gone) is no reason for an agent or a relay to end.
process.stderr.on("error", () => undefined);

const { runProgram } = await import("./program.ts");
const exitCode = await runProgram(process.argv);
if (exitCode !== 0) process.exitCode = exitCode;
else if (outputError !== undefined && outputError.code !== "EPIPE") {
  process.stderr.write(`error: the output could not be written: ${outputError.message}\n`);
}
