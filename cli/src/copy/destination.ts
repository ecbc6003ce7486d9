import { stat } from "node:fs/promises";
import path from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError, type Files, namesDirectory, sourceName, systemPath } from "@cmdop/sdk";
import { printable } from "../console/printable.ts";

/** Where sources go: under which path, and whether that is a directory which takes them by their names. */
export interface Destination {
  readonly path: string;
  readonly takesNames: boolean;
}

/** Finds out where the sources go; `to`: undefined for this computer. Throws NotADirectory where several have no directory to go to. */
export async function findDestination(
  to: Files | undefined,
  asked: string,
  sources: readonly string[],
): Promise<Destination> {
  const found = to === undefined ? await kindHere(asked) : await kindThere(to, asked);
  // A key that may only write can't look: what is said to be a directory is taken for one.
  const isDirectory = found === "directory" || (found === "unknown" && namesDirectory(asked));
  const [only] = sources;
  if (only !== undefined && sources.length === 1) {
    const name = sourceName(only);
    if (name === "") return { path: asked, takesNames: true };
    if (!isDirectory) return { path: asked, takesNames: false };
    return { path: (to === undefined ? path : path.posix).join(asked, name), takesNames: false };
  }
  if (isDirectory) return { path: asked, takesNames: true };
  throw new CmdopError(
    "NotADirectory",
    `${printable(asked)} is no directory, and there are several sources.`,
    {
      next: "Make it first, or name a directory that exists.",
    },
  );
}

type Kind = "directory" | "other" | "unknown";

async function kindHere(at: string): Promise<Kind> {
  const stats = await unless(["ENOENT", "ENOTDIR"], stat(systemPath(at)));
  return stats?.isDirectory() === true ? "directory" : "other";
}

async function kindThere(to: Files, at: string): Promise<Kind> {
  try {
    const { type } = await to.info(at);
    if (type !== "symlink") return type === "directory" ? "directory" : "other";
    await to.list(at, { pageSize: 1 });
    return "directory";
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code === "NotFound" || code === "NotADirectory") return "other";
    if (code === "PermissionDenied") return "unknown";
    throw thrown;
  }
}
