import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs a program to its end, discarding its output; anything but exit 0 throws with what it said. */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  const [exitCode, signal] = await once(child, "close");
  if (exitCode !== 0) {
    throw new Error(`${program} ${args.join(" ")}: ${signal ?? `exit ${exitCode}`}\n${Buffer.concat(said)}`);
  }
}
