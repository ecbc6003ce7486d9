import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { promisify } from "node:util";

/** Directories of the system's programs. PATH is never used, because anybody may set it. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/** Bounds of one run. */
export interface RunBounds {
  /**
   * Time limit in milliseconds; then the program is killed. One that hangs in the kernel is still waited for.
   */
  readonly timeoutMs: number;
  /** Most bytes that it may print. */
  readonly maxBytes?: number;
}

const run = promisify(execFile);

/** Returns the path of a system program; undefined if there is none. */
export async function findSystemProgram(name: string): Promise<string | undefined> {
  for (const directory of SYSTEM_DIRECTORIES) {
    const candidate = `${directory}/${name}`;
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/** Returns the path of a system program. @throws Error that names the package if there is none */
export async function systemProgram(name: string, source: string): Promise<string> {
  const found = await findSystemProgram(name);
  if (found === undefined) throw new Error(`the program ${name} (of ${source}) is missing`);
  return found;
}

/** Runs a program with an empty environment, and returns its output. @throws Error as Node's execFile does */
export async function outputOf(
  program: string,
  args: readonly string[],
  { timeoutMs, maxBytes }: RunBounds,
): Promise<string> {
  const bounds = maxBytes === undefined ? {} : { maxBuffer: maxBytes };
  const options = { cwd: "/", env: {}, timeout: timeoutMs, killSignal: "SIGKILL", ...bounds } as const;
  return (await run(program, args, options)).stdout;
}

/** Returns the reason of a program's failure as one line. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.trim().replace(/\s+/g, " ") : String(thrown);
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
