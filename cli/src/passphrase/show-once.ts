import { fstatSync } from "node:fs";
import { writeToTerminal } from "./terminal.ts";

/** The file descriptor of standard error. */
const STDERR = 2;

/**
 * Shows a secret that is kept nowhere: on the terminal itself, whatever the
 * streams were redirected to; where there is none, on standard error, for the
 * program that reads it. Never on standard output, and in no log.
 */
export function showOnce(name: string, secret: string, meaning: string): void {
  const text = `${name}: ${secret}\n  ${meaning}\n`;
  if (writeToTerminal(text)) return;
  process.stderr.write(text);
  if (fstatSync(STDERR).isFile()) {
    process.stderr.write(
      "  Standard error is a file: whatever runs as this user can read this there. Take it out of the file.\n",
    );
  }
}
