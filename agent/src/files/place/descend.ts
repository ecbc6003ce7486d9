import { readlink } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError, pathText } from "@cmdop/proto";
import { type Boundary, isConfined, refuseOwn } from "./boundary.ts";
import { shown } from "./path.ts";
import { childOf, type Pin } from "./pin.ts";
import { PROCFS } from "./procfs.ts";

/** Links that are followed on the way to one thing: as many as Linux follows. */
const MAX_LINKS = 40;

/** The mode of a directory in which everybody may make things, but only its maker rename one: as /tmp. */
const SHARED = 0o1002n;

/**
 * Holds what a path names, without asking whether the caller may: part by part,
 * each opened in the one before, so that no rename leads elsewhere. A link is
 * followed by what it says, so none leads into another process; for a confined
 * caller none is followed at all.
 */
export async function descend(boundary: Boundary, path: string): Promise<Pin> {
  const { pinning } = boundary;
  const left = partsOf(path);
  let links = 0;
  using held = new Held(await pinning.pin("/"));
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const child = await pinPart(boundary, held.pin, name, left.length > 0).catch(async (thrown) => {
      // What there is in the agent's state, and what not, is no more to be told than what it says.
      await refuseOwn(boundary, held.pin, path, "read");
      throw thrown;
    });
    if (!child.stats.isSymbolicLink()) {
      held.replace(child);
      continue;
    }
    using link = child;
    const where = childPath(await pinning.locate(held.pin), name);
    await refuseOwn(boundary, held.pin, where, "read");
    if (isConfined(boundary)) throw linkRefused(where);
    await refuseLink(boundary, held.pin, link, where);
    if (++links > MAX_LINKS) {
      throw new CmdopError("InvalidArgument", `${shown(path)}: too many symbolic links lead to one another.`);
    }
    // EINVAL, ENOENT: another thing has got the name, which is then looked at.
    const said = await unless(
      ["EINVAL", "ENOENT"],
      readlink(childOf(held.pin, name), { encoding: "buffer" }),
    );
    const target = said === undefined ? name : pathText(said);
    left.unshift(...partsOf(target));
    if (target.startsWith("/")) held.replace(await pinning.pin("/"));
  }
  return held.release();
}

/** A directory on the way is opened as one, which also mounts what is mounted on demand. */
async function pinPart({ pinning }: Boundary, parent: Pin, name: string, isOnTheWay: boolean): Promise<Pin> {
  const at = childOf(parent, name);
  const directory = isOnTheWay ? await unless(["ENOTDIR"], pinning.pin(at, { directory: true })) : undefined;
  return directory ?? pinning.pin(at);
}

/** Refuses a link that the kernel would not follow for us, or that leads into a process. */
async function refuseLink({ pinning }: Boundary, directory: Pin, link: Pin, path: string): Promise<void> {
  const { inside, type } = await pinning.locationOf(directory);
  if (type === PROCFS && inside !== "/") {
    throw new CmdopError("PolicyDenied", `${shown(path)} leads into another process, and is not followed.`, {
      next: "Use the path that it stands for, or a command.",
    });
  }
  // fs.protected_symlinks, whatever the machine's setting: somebody may have left the link for us.
  const { mode, uid } = directory.stats;
  const isOurs = [uid, BigInt(process.geteuid?.() ?? -1)].includes(link.stats.uid);
  if ((mode & SHARED) !== SHARED || isOurs) return;
  throw new CmdopError(
    "AccessDenied",
    `${shown(path)} is a link that user ${link.stats.uid} has left in a directory of everybody's: it is not followed.`,
    { next: "Use the real path." },
  );
}

/** The refusal of a link to a caller that is bound to directories. */
export function linkRefused(path: string): CmdopError {
  return new CmdopError(
    "PolicyDenied",
    `${shown(path)} is a symbolic link, and this caller is bound to directories: links are not followed for it.`,
    { next: "Use the real path; if a granted directory lies behind a link, grant its real path." },
  );
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function childPath(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** The pin that is held now, of those that follow one another. */
class Held implements Disposable {
  #pin: Pin | undefined;

  constructor(pin: Pin) {
    this.#pin = pin;
  }

  get pin(): Pin {
    if (this.#pin === undefined) throw new TypeError("nothing is held any more");
    return this.#pin;
  }

  replace(pin: Pin): void {
    this.#pin?.[Symbol.dispose]();
    this.#pin = pin;
  }

  release(): Pin {
    const pin = this.pin;
    this.#pin = undefined;
    return pin;
  }

  [Symbol.dispose](): void {
    this.#pin?.[Symbol.dispose]();
  }
}
