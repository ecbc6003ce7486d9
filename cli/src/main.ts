#!/usr/bin/env node
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import os from "node:os";
import path from "node:path";

// Halves the start-up time. The cache is code that will run here, so it stays in
// this user's own directory, never in Node's default below /tmp.
const home = process.env.CMDOP_HOME ?? path.join(os.homedir(), ".cmdop");
if (existsSync(home)) enableCompileCache(path.join(home, "cache"));

const { runProgram } = await import("./program.ts");
process.exitCode = await runProgram(process.argv);
