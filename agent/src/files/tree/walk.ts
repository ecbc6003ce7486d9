import { posix } from "node:path";
import { CmdopError, pathText } from "@cmdop/proto";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { describeOne, type Entry } from "../place/entry.ts";
import { fileError, stopIfCanceled } from "../place/errors.ts";
import { DESCRIPTIONS_IN_FLIGHT, MAX_TREE_DEPTH } from "../place/limits.ts";
import { type Names, openNames } from "../place/names.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { openTarget } from "../place/resolve.ts";
import { Globs } from "./glob.ts";

/** What of a tree is told. */
export interface WalkOptions {
  /** Levels to go down; 0 means all. */
  readonly maxDepth: number;
  /** Globs: only what one of them matches; none means everything. */
  readonly names: readonly string[];
  /** Globs of what is left out, with all that lies in it. */
  readonly exclude: readonly string[];
  /** Whether names that begin with a dot are told, and what lies in them. */
  readonly includeHidden: boolean;
}

/** Something that a walk has come to. */
export interface Visited {
  readonly entry: Entry;
  /** The directory that it lies in, held until the next is asked for, and its name there. */
  readonly directory: Pin;
  readonly raw: Buffer;
}

/** What goes along on a walk. */
export interface Walk {
  readonly boundary: Boundary;
  readonly verb: string;
  readonly signal: AbortSignal;
  readonly maxDepth: number;
  readonly names: Globs;
  readonly exclude: Globs;
  readonly includeHidden: boolean;
}

/** Where a walk is: the path as it is shown, and the names below the directory where it began. */
interface Spot {
  readonly path: string;
  readonly parts: readonly string[];
}

const DOT = 0x2e;

/** A walk's settings, checked. Throws InvalidArgument. */
export function walkOf(
  boundary: Boundary,
  verb: string,
  { maxDepth, names, exclude, includeHidden }: WalkOptions,
  signal: AbortSignal,
): Walk {
  return {
    boundary,
    verb,
    signal,
    maxDepth: Math.min(maxDepth || MAX_TREE_DEPTH, MAX_TREE_DEPTH),
    names: new Globs(names),
    exclude: new Globs(exclude),
    includeHidden,
  };
}

/**
 * All that lies below a directory, each directory before what lies in it, in no
 * order: so memory does not grow with the tree. Links are told of and never
 * followed. A directory that can't be read says so in its entry; one that fails
 * in the middle is told of a second time.
 */
export async function* walk(
  boundary: Boundary,
  path: string,
  options: WalkOptions,
  signal: AbortSignal,
): AsyncGenerator<Entry> {
  try {
    const asked = expandPath(path, boundary.home);
    const settings = walkOf(boundary, "walk", options, signal);
    using target = await openTarget(boundary, asked);
    for await (const { entry } of visit(settings, target.pin, asked)) yield entry;
  } catch (thrown) {
    throw fileError(thrown, "walk", path);
  }
}

/** The same for a directory that is held. */
export async function* visit(walk: Walk, directory: Pin, path: string): AsyncGenerator<Visited> {
  if (!directory.stats.isDirectory()) {
    throw new CmdopError("NotADirectory", `${shown(path)} is not a directory.`);
  }
  yield* visitNames(walk, directory, await openNames(directory), { path, parts: [] });
}

async function* visitNames(walk: Walk, directory: Pin, names: Names, spot: Spot): AsyncGenerator<Visited> {
  for await (const batch of batches(names, DESCRIPTIONS_IN_FLIGHT)) {
    stopIfCanceled(walk.signal, walk.verb, spot.path);
    const wanted = batch
      .map((raw) => {
        const text = pathText(raw);
        return { raw, path: posix.join(spot.path, text), parts: [...spot.parts, text] };
      })
      .filter(({ raw, parts }) => (walk.includeHidden || raw[0] !== DOT) && !walk.exclude.match(parts));
    const described = await Promise.all(
      wanted.map(async (each) => ({
        ...each,
        entry: await describeOne(directory, each.raw, each.path),
      })),
    );
    for (const { entry, raw, ...below } of described) {
      if (entry === undefined) continue;
      const visited = { entry, directory, raw };
      if (entry.type !== "directory" || below.parts.length >= walk.maxDepth) {
        // Deeper levels that were asked for by "all" and are too deep are said to be missing.
        const told = entry.type === "directory" ? tooDeep(entry, below.parts.length) : entry;
        if (matches(walk, below.parts) || told.unread !== undefined) yield { ...visited, entry: told };
      } else yield* visitBelow(walk, visited, below);
    }
  }
}

async function* visitBelow(walk: Walk, visited: Visited, spot: Spot): AsyncGenerator<Visited> {
  const { entry, directory, raw } = visited;
  const unread = (thrown: unknown): Visited => {
    stopIfCanceled(walk.signal, walk.verb, spot.path);
    const { message } = fileError(thrown, "read", spot.path);
    return { ...visited, entry: { ...entry, unread: { path: spot.path, reason: "unreadable", message } } };
  };
  using stack = new DisposableStack();
  let pin: Pin;
  let names: Names;
  try {
    pin = stack.use(await walk.boundary.pinning.pin(childOf(directory, raw)));
    await refuseOwn(walk.boundary, pin, spot.path, "read");
    names = await openNames(pin);
  } catch (thrown) {
    yield unread(thrown);
    return;
  }
  if (matches(walk, spot.parts)) yield visited;
  try {
    yield* visitNames(walk, pin, names, spot);
  } catch (thrown) {
    yield unread(thrown);
  }
}

function matches({ names }: Walk, parts: readonly string[]): boolean {
  return names.empty || names.match(parts);
}

function tooDeep(entry: Entry, depth: number): Entry {
  if (depth < MAX_TREE_DEPTH) return entry;
  const message = `${shown(entry.path)} lies ${MAX_TREE_DEPTH} directories deep, and no walk goes deeper.`;
  return { ...entry, unread: { path: entry.path, reason: "unreadable", message } };
}

async function* batches(names: Names, count: number): AsyncGenerator<Buffer[]> {
  let batch: Buffer[] = [];
  for await (const name of names) {
    if (batch.push(name) < count) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
