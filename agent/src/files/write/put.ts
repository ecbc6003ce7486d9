import type { BigIntStats } from "node:fs";
import { type FileHandle, rename } from "node:fs/promises";
import { isErrno, unless } from "@cmdop/kit";
import { CmdopError, utimesArgument } from "@cmdop/proto";
import { isConfined } from "../place/boundary.ts";
import type { Written } from "../place/entry.ts";
import { type Attributes, PERMISSION_BITS } from "../place/mode.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";
import { inTurnOf } from "../place/turns.ts";
import { carryOver } from "./carry-over.ts";
import { type Condition, matching, refuseChanged } from "./condition.ts";
import { changeDurably } from "./durable.ts";
import { writeOver } from "./in-place.ts";
import { publish } from "./publish.ts";
import type { Spool } from "./spool.ts";

/** A file's next content, all of it written. */
export interface NextContent {
  readonly spool: Spool;
  /** Checked. Without a mode a new file is as it was made. */
  readonly attributes: Attributes;
  readonly condition: Condition;
}

/** What a file is when it has its content, and how it got it where that was not as usual. */
interface Put {
  readonly stats: BigIntStats;
  readonly written?: Written;
}

/** What a rename says of a name that can't be given to another file: it is a mount point, or its directory is protected. */
const NOT_REPLACED = ["EBUSY", "EPERM", "EACCES"];

/**
 * Gives content the name that it is for: at once, or where that would take
 * something from the file that has the name, in place. In the turn of the name.
 */
export async function putInPlace(content: NextContent, place: Place): Promise<Put> {
  const { spool, condition } = content;
  const { boundary } = condition;
  const found = condition.ifAbsent
    ? undefined
    : await unless(["ENOENT"], boundary.pinning.pin(childOf(place.directory, place.name)));
  using now = found;
  if (now === undefined || !now.stats.isFile()) return await replace(content, place, content.attributes.mode);
  const over = (why: string): Promise<Put> => overwrite(content, place, now, why);
  if (!spool.isBeside) return await over("no file can be made in its directory");
  const { nlink } = now.stats;
  const isLinked = nlink > 1n;
  if (isLinked && !isConfined(boundary)) {
    // ETXTBSY: a program that is running is replaced as others are, and told of.
    const done = await unless(["ETXTBSY"], over(`it has ${nlink} names (hard links), which stay one file`));
    if (done !== undefined) return done;
  }
  const why = await dress(spool, now);
  if (why !== undefined && isLinked) throw linkedAndMore(place.path, why);
  if (why !== undefined) return await over(why);
  try {
    const put = await replace(
      content,
      place,
      alwaysMode(content) ?? Number(now.stats.mode) & PERMISSION_BITS,
    );
    return isLinked ? { ...put, written: linkSplit(nlink) } : put;
  } catch (thrown) {
    if (isLinked || !isErrno(thrown, ...NOT_REPLACED)) throw thrown;
    return await over(
      isErrno(thrown, "EBUSY") ? "it is a mount point" : "its directory lets nobody replace it",
    );
  }
}

/** Gives the new content all that the file has beside its content; why it can't be, else undefined. */
async function dress({ file }: Spool, now: Pin): Promise<string | undefined> {
  const why = await carryOver(now, file);
  if (why !== undefined) return `its ACL and attributes can't be given to another file here (${why})`;
  const { uid, gid } = now.stats;
  // Also where nothing changes: the rights of the old content (capabilities) are not the new one's.
  const isGiven = await unless(
    ["EPERM"],
    file.chown(Number(uid), Number(gid)).then(() => true),
  );
  return isGiven === true ? undefined : `the agent's user may not give another file to its owner`;
}

async function replace(
  { spool, attributes, condition }: NextContent,
  place: Place,
  mode: number | undefined,
): Promise<Put> {
  const { directory, name, path } = place;
  await give(spool.file, mode, attributes);
  await spool.file.sync();
  const stats = await spool.file.stat({ bigint: true });
  using old = await matching(condition, place);
  await changeDurably(directory, path, async () => {
    if (condition.ifAbsent) {
      using made = await condition.boundary.pinning.pin(spool.at);
      await publish({ directory, name: spool.name, pin: made }, place, false);
    } else {
      // Programs of the machine don't take turns with us: as late as possible, once more.
      if (old !== undefined) await refuseChanged(old, place);
      await rename(spool.at, childOf(directory, name));
    }
    spool.leave(true);
  });
  return { stats };
}

/** The mode that is meant for a file that exists, too. */
function alwaysMode({ attributes: { mode, modeUse } }: NextContent): number | undefined {
  return modeUse === "always" ? mode : undefined;
}

async function give(file: FileHandle, mode: number | undefined, { mtimeMs }: Attributes): Promise<void> {
  if (mode !== undefined) await file.chmod(mode);
  if (mtimeMs !== undefined) await file.utimes(new Date(), utimesArgument(mtimeMs));
}

async function overwrite(content: NextContent, { path }: Place, pin: Pin, why: string): Promise<Put> {
  const { spool, condition } = content;
  const { boundary, ifMatch } = condition;
  if (pin.stats.nlink > 1n && isConfined(boundary)) throw linkedAndMore(path, why);
  return inTurnOf(pin.stats, async () => {
    await using file = await writeOver({ boundary, pin, path, spool, ifMatch });
    // Of another user's file neither can be given; its content is there.
    const isGiven = await unless(
      ["EPERM"],
      give(file, alwaysMode(content), content.attributes).then(() => true),
    );
    const rest = isGiven === true ? "" : "; only its owner may set its mode and time";
    const message = `written in place, since ${why}: who read it meanwhile may have seen some of the old and some of the new${rest}`;
    const stats = await file.stat({ bigint: true });
    return { stats, written: { atomic: false, linkSplit: false, message } };
  });
}

function linkSplit(nlink: bigint): Written {
  const others = nlink === 2n ? "its other name (hard link)" : `its ${nlink - 1n} other names (hard links)`;
  return { atomic: true, linkSplit: true, message: `replaced: ${others} kept the old content` };
}

/** It may be written only in place, where its other names would change with it: and those may lie where this caller may not write. */
function linkedAndMore(path: string, why: string): CmdopError {
  return new CmdopError(
    "AccessDenied",
    `${shown(path)} has other names (hard links), and can't be replaced without them: ${why}.`,
    { next: "Write it with a command on the machine, or delete it first." },
  );
}
