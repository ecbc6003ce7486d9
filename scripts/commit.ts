import { execFileSync } from "node:child_process";
import { ROOT } from "./lockfile.ts";

/** The commit that is checked out, and its time in seconds since 1970. Warns where there are changes that it has not. */
export function commitNow(): { readonly commit: string; readonly committedAt: number } {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  if (git("status", "--porcelain") !== "") {
    console.error(
      "warning: there are changes that no commit has; what is built names the commit without them.",
    );
  }
  return { commit: git("rev-parse", "HEAD"), committedAt: Number(git("show", "-s", "--format=%ct", "HEAD")) };
}
