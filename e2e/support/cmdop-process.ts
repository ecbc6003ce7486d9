import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { PROGRAM_MAIN } from "../../scripts/bundle.ts";

/** The real command, as it is shipped (vitest's globalSetup makes it). */
export const CMDOP_MAIN = PROGRAM_MAIN;

/** As a shell on a terminal starts a command, and hands on its end. */
const AS_CHILD = '"$@" & trap "kill $!" TERM; wait $!; wait $!';

/** How long a started process may take to say that it is ready, in milliseconds. */
const READY_TIMEOUT_MS = 30_000;

/** How long a process may take to end after SIGTERM before the test fails, in milliseconds. */
const STOP_TIMEOUT_MS = 15_000;

/** Environment of a cmdop process: this one's without anything of cmdop's own, and the given. */
export function cmdopEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CMDOP_"));
  return { ...Object.fromEntries(inherited.map(([name, value]) => [name, value ?? ""])), ...variables };
}

interface StartOptions {
  readonly noTerminal?: boolean | undefined;
  readonly shellLine?: string | undefined;
  readonly program?: string | undefined;
}

/** A cmdop command that runs on: relay, agent, up, mcp. */
export class CmdopProcess {
  readonly child: ChildProcess;
  readonly #stderr: string[] = [];

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#stderr.push(text));
  }

  /**
   * Starts it and resolves with the line of JSON that says it is ready.
   * `shellLine`: what the shell does that starts it. `noTerminal`: it has no terminal, whoever runs the test.
   * `program`: another cmdop than the one that is tested, such as an installed one.
   */
  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    { noTerminal = false, shellLine, program: cmdop }: StartOptions = {},
  ): Promise<{ process: CmdopProcess; ready: Record<string, unknown> }> {
    const command = cmdop === undefined ? [process.execPath, CMDOP_MAIN, ...args] : [cmdop, ...args];
    const prepared = ["/bin/bash", "-c", `${shellLine}; ${AS_CHILD}`, "bash", ...command];
    const [program = "", ...programArgs] = shellLine !== undefined ? prepared : command;
    const child = spawn(program, programArgs, {
      env: cmdopEnvironment(env),
      stdio: ["ignore", "pipe", "pipe"],
      detached: noTerminal,
    });
    const started = new CmdopProcess(child);
    const line = await started.#firstLine(args);
    const ready: unknown = JSON.parse(line);
    if (typeof ready !== "object" || ready === null) throw new TypeError(`not a JSON object: ${line}`);
    return { process: started, ready: { ...ready } };
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** What it has written to stderr so far. */
  get stderr(): string {
    return this.#stderr.join("");
  }

  /** Sends a signal without waiting. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Ends it and resolves with how it ended. */
  async stop(name: NodeJS.Signals = "SIGTERM"): Promise<{ exitCode: number | null; signal: string | null }> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(name);
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    }
    return { exitCode: child.exitCode, signal: child.signalCode };
  }

  async #firstLine(args: readonly string[]): Promise<string> {
    const { child } = this;
    if (child.stdout === null) throw new TypeError("no stdout");
    const lines = readline.createInterface({ input: child.stdout });
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
    try {
      const line = await Promise.race([
        once(lines, "line").then(([text]) => String(text)),
        once(child, "exit").then(() => undefined),
      ]);
      if (line === undefined)
        throw new Error(`cmdop ${args.join(" ")} ended before it was ready:\n${this.stderr}`);
      return line;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** How a command ended, and what it wrote. */
export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cmdop command that ends by itself. It has no terminal, whoever runs the test. */
export function runCmdop(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin: string | Uint8Array = "",
): Promise<Finished> {
  return runProgram(process.execPath, [CMDOP_MAIN, ...args], env, stdin);
}

/** A line for bash in which "$NODE" "$MAIN" is cmdop. */
export function runShell(line: string, env: Readonly<Record<string, string>>): Promise<Finished> {
  return runProgram("bash", ["-c", line], { ...env, NODE: process.execPath, MAIN: CMDOP_MAIN });
}

/** Any program, to its end. It has no terminal. */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin: string | Uint8Array = "",
): Promise<Finished> {
  const child = spawn(program, args, { env: cmdopEnvironment(env), detached: true });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  await once(child, "close");
  return {
    exitCode: child.exitCode,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}
