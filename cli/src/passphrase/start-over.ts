import { passphraseFromEnvironment } from "./environment.ts";

/**
 * Replaces this process by a new one of the same command, in the same place: same
 * id, parent, streams and arguments, and `more` behind them. What it had in its
 * memory, and in the environment that it was started with, is gone.
 */
export function startOver(...more: readonly string[]): void {
  const { execPath, execArgv, argv } = process;
  // Node has it on every system but Windows.
  process.execve?.(execPath, [execPath, ...execArgv, ...argv.slice(1), ...more]);
}

/**
 * For commands that stay: /proc shows what a process was started with for as long
 * as it runs, to every process of the same user, an agent's jobs among them. So
 * one that was started with the passphrase starts over without it.
 */
export function leavePassphraseBehind(): void {
  if (passphraseFromEnvironment() !== undefined) startOver();
}
