import type { BigIntStats } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { posix } from "node:path";
import { errnoOf, unless } from "@cmdop/kit";
import { CmdopError, systemPath } from "@cmdop/proto";
import {
  type Access,
  type Boundary,
  isConfined,
  refuseOutside,
  refuseOwn,
  refuseOwnName,
  refuseOwnPlace,
} from "./boundary.ts";
import { descend } from "./descend.ts";
import { shown } from "./path.ts";
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

/** Opens what a path names, to look at it unless `access` says more; through links unless the caller is confined. `path` is expanded. */
export async function openTarget(boundary: Boundary, path: string, access: Access = "read"): Promise<Target> {
  refuseByName(boundary, path, access);
  using stack = new DisposableStack();
  const pin = stack.use(await pinPath(boundary, path));
  const where = await boundary.pinning.locate(pin);
  refuseOutside(boundary, where);
  await refuseOwn(boundary, pin, where, access);
  return { pin, path: where, ...owning(stack) };
}

/** How a place is opened. */
export interface PlaceOptions {
  /** Whether the directory, and those above it, are made where they are missing; false unless said. */
  readonly parents?: boolean;
  /** What is to be done with the name; write unless said. */
  readonly access?: Access;
}

/** Opens the directory in which a path names something. */
export async function openPlace(
  boundary: Boundary,
  path: string,
  { parents = false, access = "write" }: PlaceOptions = {},
): Promise<Place> {
  refuseByName(boundary, path, access);
  using stack = new DisposableStack();
  const directory = stack.use(await pinDirectory(boundary, posix.dirname(path), parents));
  const name = path === "/" ? "." : posix.basename(path);
  const where = posix.join(await boundary.pinning.locate(directory), name);
  refuseOutside(boundary, where);
  refuseOwnName(boundary, where, access);
  await refuseOwnPlace(boundary, directory, name, where, access);
  const leaf = await unless(["ENOENT"], lstat(childOf(directory, name), { bigint: true }));
  return { directory, name, path: where, leaf, ...owning(stack) };
}

/** The refusals that need no look at the disk come before any: they must not tell what exists. */
function refuseByName(boundary: Boundary, path: string, access: Access): void {
  refuseOutside(boundary, path);
  refuseOwnName(boundary, path, access);
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
async function pinPath(boundary: Boundary, path: string): Promise<Pin> {
  const direct = isConfined(boundary) ? undefined : await pinDirectly(boundary, path);
  return direct ?? descend(boundary, path);
}

/** The quick way, in one step: for what lies just where its path says, so that no link was gone through. */
async function pinDirectly({ pinning }: Boundary, path: string): Promise<Pin | undefined> {
  const found = await pinning.pin(systemPath(path)).catch(errnoOnly);
  if (found === undefined) return undefined;
  using stack = new DisposableStack();
  const pin = stack.use(found);
  if (pin.stats.isSymbolicLink() || (await pinning.locate(pin)) !== path) return undefined;
  stack.move();
  return pin;
}

/** What goes wrong on the quick way is found again, and told, on the other. */
function errnoOnly(thrown: unknown): undefined {
  if (errnoOf(thrown) === undefined) throw thrown;
}

/** Hands what a stack holds to a longer life. */
function owning(stack: DisposableStack): Disposable {
  const held = stack.move();
  return { [Symbol.dispose]: () => held.dispose() };
}
