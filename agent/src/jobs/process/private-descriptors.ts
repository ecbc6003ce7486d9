import { openSync } from "node:fs";
import { devNull } from "node:os";

/** One entry of Node's `stdio`. */
type End = number | "ignore" | "inherit" | "pipe" | "ipc";

/**
 * Descriptors that no child may have, although the system hands them on: Node
 * opens all of its own with FD_CLOEXEC, but a PTY's master comes without, and
 * whoever has it can read and type into that terminal. They belong to the process.
 */
const descriptors = new Set<number>();

/** What a child gets in their places. Opened at the first need and kept. */
let cover: number | undefined;

/** Keeps a descriptor from every child that is started with `covered`, until the returned function is called. */
export function keepPrivate(descriptor: number): () => void {
  descriptors.add(descriptor);
  return () => {
    descriptors.delete(descriptor);
  };
}

/** The given ends, and /dev/null in the place of every private descriptor (Node's "ignore" covers only the first three). */
export function covered(ends: readonly End[]): End[] {
  const count = Math.max(...descriptors, -1) + 1 - ends.length;
  if (count <= 0) return [...ends];
  const nothing = openCover();
  return [...ends, ...Array.from({ length: count }, () => nothing)];
}

function openCover(): number {
  cover ??= openSync(devNull, "r+");
  return cover;
}
