import type { BigIntStats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import path from "node:path";
import { unless } from "@cmdop/kit";
import type { Landmark } from "./landmark.ts";

/** How long it counts what was found, in milliseconds. */
const MIN_KEPT_MS = 1_000;

/** The same as a multiple of what the look took: so looking can't become most of what is done. */
const KEPT_PER_LOOK = 50;

/** What this process may not look at, it can't open under another name either. */
const UNREACHABLE = ["ENOENT", "ENOTDIR", "EACCES", "EPERM"];

interface Look {
  readonly files: ReadonlySet<string>;
  /** By performance.now(). */
  readonly untilMs: number;
}

const looks = new Map<string, Look>();

/**
 * Whether a file is also a file of a landmark: a hard link is a name like any
 * other, and says nothing of where it is. To be asked only of files with more
 * than one name. A second name that was given within the last second or so may
 * be missed.
 */
export async function isSecondName(stats: BigIntStats, { real }: Landmark): Promise<boolean> {
  let look = looks.get(real);
  if (look === undefined || performance.now() >= look.untilMs) {
    look = await lookAt(real);
    looks.set(real, look);
  }
  return look.files.has(identity(stats));
}

async function lookAt(root: string): Promise<Look> {
  const startMs = performance.now();
  const files = new Set<string>();
  await collect(root, files);
  const endMs = performance.now();
  return { files, untilMs: endMs + Math.max(MIN_KEPT_MS, KEPT_PER_LOOK * (endMs - startMs)) };
}

/** All files of a tree that have more than one name. */
async function collect(file: string, files: Set<string>): Promise<void> {
  const stats = await unless(UNREACHABLE, lstat(file, { bigint: true }));
  if (stats?.isFile() && stats.nlink > 1n) files.add(identity(stats));
  if (stats?.isDirectory() !== true) return;
  const names = (await unless(UNREACHABLE, readdir(file))) ?? [];
  for (const name of names) await collect(path.join(file, name), files);
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
