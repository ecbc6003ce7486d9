import { CmdopError, pathText } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { stopIfCanceled } from "../place/errors.ts";
import { MAX_TREE_DEPTH } from "../place/limits.ts";
import { shown } from "../place/path.ts";

/** What goes along down a tree. */
export interface TreeWalk {
  readonly boundary: Boundary;
  /** For messages: "delete". */
  readonly verb: string;
  readonly signal: AbortSignal;
}

/** Where a walk is. */
export interface Spot {
  /** For messages and checks. */
  readonly path: string;
  readonly depth: number;
}

/** The spot of a name below another. */
export function below(spot: Spot, raw: Buffer): Spot {
  return { path: `${spot.path === "/" ? "" : spot.path}/${pathText(raw)}`, depth: spot.depth + 1 };
}

/** Asked before each step: is the caller still there, is the tree not too deep. */
export function goOn({ signal, verb }: TreeWalk, { path, depth }: Spot): void {
  stopIfCanceled(signal, verb, path);
  if (depth <= MAX_TREE_DEPTH) return;
  throw new CmdopError(
    "LimitExceeded",
    `Can't ${verb} ${shown(path)}: it lies more than ${MAX_TREE_DEPTH} directories deep.`,
    {
      next: "Do it with a command, or piece by piece.",
    },
  );
}
