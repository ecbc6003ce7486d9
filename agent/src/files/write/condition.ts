import { timingSafeEqual } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstat } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { childOf, type Pin, sameObject } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";
import { checkedHash, hashContent, notMatching } from "../read/content-hash.ts";

/** What must hold for a file to be replaced. */
export interface Condition {
  readonly boundary: Boundary;
  /** SHA-256 of its content. */
  readonly ifMatch: Uint8Array | undefined;
  /** There must be none. */
  readonly ifAbsent: boolean;
}

/** A caller's conditions, checked. */
export function checkedCondition(
  boundary: Boundary,
  options: { readonly ifMatch?: Uint8Array | undefined; readonly ifAbsent?: boolean | undefined },
): Condition {
  const ifMatch = checkedHash(options.ifMatch);
  const ifAbsent = options.ifAbsent ?? false;
  if (ifMatch === undefined || !ifAbsent) return { boundary, ifMatch, ifAbsent };
  throw new CmdopError("InvalidArgument", "ifMatch and ifAbsent can't both hold.", {
    next: "Give one of them.",
  });
}

/** The file as it is now, held, where its content is to match and does; undefined where it need not match. Throws FileChanged where it does not. */
export async function matching(
  { boundary, ifMatch }: Condition,
  { directory, name, path }: Place,
  signal?: AbortSignal,
): Promise<Pin | undefined> {
  if (ifMatch === undefined) return undefined;
  using stack = new DisposableStack();
  const pin = await unless(["ENOENT"], boundary.pinning.pin(childOf(directory, name)));
  if (pin === undefined) throw notMatching(path, "does not exist");
  stack.use(pin);
  await refuseOwn(boundary, pin, path, "read");
  const hash = await hashContent(pin, path, signal);
  if (!timingSafeEqual(hash, ifMatch)) throw notMatching(path, "does not have the expected content");
  stack.move();
  return pin;
}

/** Whether it is the same file, and nobody has touched it in between. */
export function isUnchanged(before: BigIntStats, now: BigIntStats): boolean {
  const { size, mtimeNs, ctimeNs } = before;
  return sameObject(now, before) && now.size === size && now.mtimeNs === mtimeNs && now.ctimeNs === ctimeNs;
}

/** Refuses a name that no longer leads to what was held, or to it as it was. */
export async function refuseChanged(pin: Pin, { directory, name, path }: Place): Promise<void> {
  const now = await unless(["ENOENT"], lstat(childOf(directory, name), { bigint: true }));
  if (now !== undefined && isUnchanged(pin.stats, now)) return;
  throw notMatching(path, "was changed by somebody else at this very moment");
}
