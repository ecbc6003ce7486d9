import { closeSync, openSync, writeSync } from "node:fs";
import tty from "node:tty";
import { onAbort, unlessSync } from "@cmdop/kit";
import { MAX_PASSPHRASE_BYTES } from "@cmdop/proto";
import { ExitWith } from "../console/exit.ts";
import { EXIT_INTERRUPTED } from "../jobs/exit-codes.ts";
import { HiddenLine } from "./hidden-line.ts";

/** The terminal that this process was started on, whatever its streams are; undefined where there is none. */
function openTerminal(flags: "r+" | "w"): number | undefined {
  // No such device, or none for a process that has no terminal.
  return unlessSync(["ENXIO", "ENOENT", "EACCES"], () => openSync("/dev/tty", flags));
}

/** Writes to the terminal itself, past whatever our streams were redirected to. False where there is none. */
export function writeToTerminal(text: string): boolean {
  const terminal = openTerminal("w");
  if (terminal === undefined) return false;
  writeSync(terminal, text);
  closeSync(terminal);
  return true;
}

/**
 * Asks at the terminal for a line that is not shown. Undefined where there is no
 * terminal. Ctrl-C, Ctrl-D and the signal end the program; the terminal is then as it
 * was, as it is when something else ends the process.
 */
export async function askHidden(question: string, signal?: AbortSignal): Promise<string | undefined> {
  const terminal = openTerminal("r+");
  if (terminal === undefined) return undefined;
  const keys = new tty.ReadStream(terminal);
  keys.setRawMode(true);
  const stopListening = onAbort(signal, () => keys.destroy());
  try {
    writeToTerminal(question);
    const line = new HiddenLine(MAX_PASSPHRASE_BYTES);
    for await (const chunk of keys) {
      line.type(Buffer.from(chunk));
      if (line.isCanceled) throw new ExitWith(EXIT_INTERRUPTED);
      if (line.isDone) return line.text;
    }
    // The window was closed, or the signal came.
    throw new ExitWith(EXIT_INTERRUPTED);
  } finally {
    stopListening();
    keys.setRawMode(false);
    keys.destroy();
    writeToTerminal("\n");
  }
}
