import { z } from "zod";
import { addonFile, loadAddon } from "./addon.ts";
import type { TerminalSize } from "./request.ts";

/** A PTY as the system gives it: two descriptors without FD_CLOEXEC, both non-blocking. */
export interface PtyPair {
  readonly master: number;
  readonly slave: number;
  /** The path of the slave. */
  readonly path: string;
}

/** What we use of node-pty: its compiled part alone, see docs/decisions/0012-sessions.md. */
export interface NativePty {
  open(size: TerminalSize): PtyPair;
  resize(master: number, size: TerminalSize): void;
}

const isFunction = (value: unknown): value is (...args: unknown[]) => unknown => typeof value === "function";
const functionSchema = z.custom<(...args: unknown[]) => unknown>(isFunction);
const bindingSchema = z.object({ open: functionSchema, resize: functionSchema });
const pairSchema = z.object({
  master: z.int().min(0),
  slave: z.int().min(0),
  pty: z.string().startsWith("/"),
});

let loaded: NativePty | undefined;

/** Loads it at the first session. @throws CmdopError where it is missing for this system, or is not what it was */
export function nativePty(): NativePty {
  loaded ??= load();
  return loaded;
}

function load(): NativePty {
  const binding = bindingSchema.parse(loadAddon(addonFile()));
  return {
    open: ({ cols, rows }) => {
      const { master, slave, pty } = pairSchema.parse(binding.open(cols, rows));
      return { master, slave, path: pty };
    },
    resize: (master, { cols, rows }) => {
      binding.resize(master, cols, rows);
    },
  };
}
