import { createHash } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import { checkCommand, summary } from "../exec/command.ts";
import type { Environment } from "../process/environment.ts";

/** The size of a terminal in characters. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** One session, as its caller asked for it. */
export interface SessionRequest {
  /** The program and its arguments; empty means the user's login shell. */
  readonly shell: readonly string[];
  readonly size: TerminalSize;
  /** Empty means the home directory; `~` expands; relative to the home directory. */
  readonly cwd: string;
  /** Added to the allow-listed environment. */
  readonly env: Environment;
  /** Ends the session after this many milliseconds without input and without a viewer; 0 means never. */
  readonly idleTimeoutMs: number;
}

/** The size of a terminal of which nothing else is known: what terminals have had since the VT100. */
export const DEFAULT_SIZE: TerminalSize = { cols: 80, rows: 24 };

/** Columns and rows: more than any screen shows, and the memory of an emulator grows with it. */
const MAX_CHARACTERS = 500;

/** @throws CmdopError InvalidArgument, MessageTooLarge */
export function checkSession(request: SessionRequest): void {
  const { size, cwd, env, idleTimeoutMs } = request;
  checkSize(size);
  checkCommand({
    run: { argv: programOf(request, "/bin/sh") },
    cwd,
    env,
    timeoutMs: idleTimeoutMs,
    stdinOpen: true,
    stdin: new Uint8Array(),
  });
}

/** @throws CmdopError InvalidArgument */
export function checkSize(size: TerminalSize): void {
  for (const [name, value] of Object.entries({ cols: size.cols, rows: size.rows })) {
    if (Number.isInteger(value) && value >= 1 && value <= MAX_CHARACTERS) continue;
    throw new CmdopError(
      "InvalidArgument",
      `A terminal has 1 to ${MAX_CHARACTERS} ${name}; ${value} was asked for.`,
    );
  }
}

/** What makes two requests the same. */
export function sessionHash({ shell, size, cwd, env, idleTimeoutMs }: SessionRequest): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify(["session", shell, size.cols, size.rows, cwd, variables, idleTimeoutMs]))
    .digest("base64url");
}

/** The session as one line for people. */
export function sessionSummary({ shell }: SessionRequest): string {
  return shell.length === 0 ? "login shell" : summary({ run: { argv: shell } });
}

/**
 * The program of a session and its arguments. Where none was named it is the
 * user's shell, as a login shell, as with ssh: the agent has the environment of
 * a service, and the profile is where users set their own.
 */
export function programOf(
  { shell }: Pick<SessionRequest, "shell">,
  ownShell: string,
): readonly [program: string, ...args: string[]] {
  const [program = ownShell, ...args] = shell;
  return shell.length === 0 ? [program, "-l"] : [program, ...args];
}
