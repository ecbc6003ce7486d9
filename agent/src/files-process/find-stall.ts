import { lstat, readlink, statfs } from "node:fs/promises";
import { posix } from "node:path";
import { within } from "@cmdop/kit";
import { pathText, systemPath } from "@cmdop/proto";
import { MOUNT_ANSWER_MS } from "./limits.ts";
import { type Mount, mountOf, readMounts } from "./mounts.ts";

/** A mount that has not answered, how it was come to, and what still waits for its answer. */
export interface FoundStall {
  readonly mount: Mount;
  /** The beginning of the path that led there by a link. */
  readonly link: string | undefined;
  /** Settles when the mount answers after all. */
  readonly answer: Promise<unknown>;
}

/** Links that are followed before a path is given up, as Linux does. */
const MAX_LINKS = 40;

/**
 * Goes to a path as the system would, a name and a link at a time, and asks each
 * mount on the way whether it is there. The first that says nothing is the one
 * that everything behind it hangs on; undefined where all answer.
 */
export async function findStall(path: string): Promise<FoundStall | undefined> {
  const mounts = readMounts();
  const asked = partsOf(path);
  let parts = [...asked];
  let at = "/";
  let link: string | undefined;
  let mount = mountOf(mounts, at);
  for (let links = 0; ; ) {
    const found = await hanging(
      mount,
      link,
      mount === undefined ? undefined : statfs(systemPath(mount.point)),
    );
    if (found !== undefined) return found;
    const [name, ...rest] = parts;
    if (name === undefined) return undefined;
    const next = posix.join(at, name);
    const there = mountOf(mounts, next);
    parts = rest;
    if (there?.id !== mount?.id) {
      mount = there;
      at = next;
      continue;
    }
    const look = lookAt(next);
    const stuck = await hanging(mount, link, look);
    if (stuck !== undefined) return stuck;
    const target = await look;
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    link ??= `/${asked.slice(0, asked.length - rest.length).join("/")}`;
    at = target.startsWith("/") ? "/" : at;
    parts = [...partsOf(target), ...rest];
    mount = mountOf(mounts, at);
  }
}

/** What a link says; undefined for everything else, also for what is missing: the operation itself will say so. */
async function lookAt(path: string): Promise<string | undefined> {
  try {
    const at = systemPath(path);
    return (await lstat(at)).isSymbolicLink()
      ? pathText(await readlink(at, { encoding: "buffer" }))
      : undefined;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown) return undefined;
    throw thrown;
  }
}

/** The stall, where an answer does not come in time. An error is an answer, too. */
async function hanging(
  mount: Mount | undefined,
  link: string | undefined,
  asked: Promise<unknown> | undefined,
): Promise<FoundStall | undefined> {
  if (mount === undefined || asked === undefined) return undefined;
  const answer = Promise.allSettled([asked]);
  const inTime = await within(answer, MOUNT_ANSWER_MS);
  return inTime === undefined ? { mount, link, answer } : undefined;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
