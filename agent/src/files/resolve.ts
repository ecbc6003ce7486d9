import type { BigIntStats } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { posix } from "node:path";
import { CmdopError } from "@cmdop/proto";
import { type Boundary, isConfined, ownState, refuseOutside, refuseOwnState } from "./boundary.ts";
import { unless } from "./errors.ts";
import { isWithin, shown } from "./path.ts";
import { childOf, type Pin } from "./pin.ts";

/** Something that exists and that the caller may touch, held. */
export interface Target extends Disposable {
  readonly pin: Pin;
  /** Where it really lies. */
  readonly path: string;
}

/** A name in a directory that is held; whether or not something has that name. */
export interface Place extends Disposable {
  readonly directory: Pin;
  /** `.` for the root of the filesystem, which has no directory around it. */
  readonly name: string;
  /** Where the place really lies. */
  readonly path: string;
  /** What was there when it was opened; a link is a link. */
  readonly leaf: BigIntStats | undefined;
}

/** Permission bits of missing directories that are made along the way, less the umask. */
const PARENT_MODE = 0o755;

/** Opens what a path names, through links unless the caller is confined. `path` is expanded. */
export async function openTarget(boundary: Boundary, path: string): Promise<Target> {
  refuseByName(boundary, path);
  using stack = new DisposableStack();
  const pin = stack.use(await pinPath(boundary, path));
  const where = await boundary.pinning.locate(pin);
  refuseOutside(boundary, where);
  await refuseOwnState(boundary, where);
  return { pin, path: where, ...owning(stack) };
}

/** Opens the directory in which a path names something, made first (with those above it) where `parents` says so. */
export async function openPlace(
  boundary: Boundary,
  path: string,
  options: { parents: boolean } = { parents: false },
): Promise<Place> {
  refuseByName(boundary, path);
  using stack = new DisposableStack();
  const directory = stack.use(await pinDirectory(boundary, posix.dirname(path), options.parents));
  const name = path === "/" ? "." : posix.basename(path);
  const where = posix.join(await boundary.pinning.locate(directory), name);
  refuseOutside(boundary, where);
  const [leaf] = await Promise.all([
    unless(["ENOENT"], lstat(childOf(directory, name), { bigint: true })),
    refuseOwnState(boundary, where),
  ]);
  return { directory, name, path: where, leaf, ...owning(stack) };
}

/** The refusals that need no look at the disk come before any: they must not tell what exists. */
function refuseByName(boundary: Boundary, path: string): void {
  refuseOutside(boundary, path);
  if (isWithin(path, boundary.stateDir)) throw ownState(path);
}

async function pinDirectory(boundary: Boundary, path: string, create: boolean): Promise<Pin> {
  let pin = await unless(create && path !== "/" ? ["ENOENT"] : [], pinPath(boundary, path));
  if (pin === undefined) {
    await makeDirectory(boundary, path);
    pin = await pinPath(boundary, path);
  }
  if (pin.stats.isDirectory()) return pin;
  pin[Symbol.dispose]();
  throw new CmdopError("NotADirectory", `${shown(path)} is not a directory.`);
}

async function makeDirectory(boundary: Boundary, path: string): Promise<void> {
  using place = await openPlace(boundary, path, { parents: true });
  await unless(["EEXIST"], mkdir(childOf(place.directory, place.name), PARENT_MODE));
}

/** Holds what a path names, without asking whether the caller may. */
function pinPath(boundary: Boundary, path: string): Promise<Pin> {
  return isConfined(boundary) ? pinWithoutLinks(boundary, path) : boundary.pinning.pin(path, true);
}

/** Goes down part by part, each opened in the one before, so that no link and no rename leads elsewhere. */
async function pinWithoutLinks({ pinning }: Boundary, path: string): Promise<Pin> {
  let current = await pinning.pin("/", false);
  let reached = "";
  for (const name of path.split("/").filter((part) => part !== "")) {
    using parent = current;
    reached += `/${name}`;
    current = await pinning.pin(childOf(parent, name), false);
    if (!current.stats.isSymbolicLink()) continue;
    current[Symbol.dispose]();
    throw linkRefused(reached);
  }
  return current;
}

/** The refusal of a link to a caller that is bound to directories. */
export function linkRefused(path: string): CmdopError {
  return new CmdopError(
    "PolicyDenied",
    `${shown(path)} is a symbolic link, and this caller is bound to directories: links are not followed for it.`,
    { next: "Use the real path; if a granted directory lies behind a link, grant its real path." },
  );
}

/** Hands what a stack holds to a longer life. */
function owning(stack: DisposableStack): Disposable {
  const held = stack.move();
  return { [Symbol.dispose]: () => held.dispose() };
}
