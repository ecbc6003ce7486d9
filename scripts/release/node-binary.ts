import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { run } from "./commands.ts";
import type { Platform } from "./platform.ts";

/**
 * Room for the path of the program loader, its final zero included: a kernel
 * takes up to 4096, and nobody installs a program that deep.
 */
export const INTERPRETER_BYTES = 512;

/** Makes Node smaller, and lets it find the libraries in `../lib`. Returns where in the file the path of its loader stands. */
export function ownLibraries(source: string, target: string, { strip }: Platform): number {
  copyFileSync(source, target);
  chmodSync(target, 0o755);
  run(strip, [target]);
  const room = `/${"-".repeat(INTERPRETER_BYTES - 2)}`;
  // RPATH, not RUNPATH: it also counts for what a compiled part of ours asks for.
  run("patchelf", ["--set-interpreter", room, "--force-rpath", "--set-rpath", "$ORIGIN/../lib", target]);
  const offset = readFileSync(target).indexOf(room);
  if (offset === -1) throw new Error(`${target} has no path of a loader.`);
  return offset;
}

/** Writes the path of the loader, as relocate.sh does on the machine. */
export function setInterpreter(file: string, offset: number, loader: string): void {
  const content = readFileSync(file);
  content.fill(0, offset, offset + INTERPRETER_BYTES);
  content.write(loader, offset);
  writeFileSync(file, content);
}
