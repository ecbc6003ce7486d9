import { createRequire } from "node:module";
import { z } from "zod";
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
const loaderSchema = z.object({ requireBinary: functionSchema });
const bindingSchema = z.object({ open: functionSchema, resize: functionSchema });
const pairSchema = z.object({
  master: z.int().min(0),
  slave: z.int().min(0),
  pty: z.string().startsWith("/"),
});

let loaded: NativePty | undefined;

/** Loads it at the first session. Throws where it is missing for this system. */
export function nativePty(): NativePty {
  loaded ??= load();
  return loaded;
}

function load(): NativePty {
  // The module of the package that finds its compiled part.
  const loader: unknown = createRequire(import.meta.url)("node-pty/requireBinary.js");
  const { requireBinary } = loaderSchema.parse(loader);
  let module: unknown;
  try {
    module = requireBinary("pty.node");
  } catch (cause) {
    throw new Error(
      `the part of cmdop that opens terminals is not installed for ${process.platform}-${process.arch}; install cmdop again on this machine, with its optional dependencies`,
      { cause },
    );
  }
  const binding = bindingSchema.parse(module);
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
