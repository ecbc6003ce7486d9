import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { promisify } from "node:util";

/** Where the system's programs lie: never looked for by way of a PATH, which is somebody's to set. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/** Bounds of one run. */
export interface RunBounds {
  /** In milliseconds; then it is killed. One that hangs in the kernel goes on being waited for. */
  readonly timeoutMs: number;
  /** Bytes that it may print. */
  readonly maxBytes?: number;
}

const run = promisify(execFile);

/** Where a program of the system lies; undefined where there is none. */
export async function findSystemProgram(name: string): Promise<string | undefined> {
  for (const directory of SYSTEM_DIRECTORIES) {
    const candidate = `${directory}/${name}`;
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/** Where a program of the system lies. @throws Error that names the package where there is none */
export async function systemProgram(name: string, source: string): Promise<string> {
  const found = await findSystemProgram(name);
  if (found === undefined) throw new Error(`the program ${name} (of ${source}) is missing`);
  return found;
}

/** What a program prints, run with nothing in its environment. @throws Error as Node's execFile does */
export async function outputOf(
  program: string,
  args: readonly string[],
  { timeoutMs, maxBytes }: RunBounds,
): Promise<string> {
  const bounds = maxBytes === undefined ? {} : { maxBuffer: maxBytes };
  const options = { cwd: "/", env: {}, timeout: timeoutMs, killSignal: "SIGKILL", ...bounds } as const;
  return (await run(program, args, options)).stdout;
}

/** Why a program failed, as one line. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.trim().replace(/\s+/g, " ") : String(thrown);
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
