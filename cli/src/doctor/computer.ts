import { existsSync, statfsSync } from "node:fs";
import { cmdopHome } from "@cmdop/sdk";
import { sizeText } from "../copy/units.ts";
import { whyDistrusted } from "../home/trusted-home.ts";
import { NEEDED_NODE_MAJOR } from "../needed-node.ts";
import { type Finding, failed, failedBy, ok, warning } from "./finding.ts";

/** Below this a job's output, an upload or the audit soon finds no room. In bytes. */
const LITTLE_BYTES = 256 * 1024 * 1024;

/** Below this nothing goes on for long. In bytes. */
const NO_BYTES = 16 * 1024 * 1024;

/** Files that can still be made: some file systems run out of these first. */
const LITTLE_FILES = 1_000;

/** Checks Node and the home on this computer. */
export function examineComputer(): Finding[] {
  return [examineNode("node", process.versions.node), ...examineHome()];
}

/** Checks a version of Node. */
export function examineNode(check: string, version: string): Finding {
  if (Number.parseInt(version, 10) >= NEEDED_NODE_MAJOR) return ok(check, `Node ${version}`);
  return failed(
    check,
    `Node ${version} is too old: cmdop needs ${NEEDED_NODE_MAJOR} or later.`,
    "Install a newer Node, or use an archive of cmdop, which brings its own.",
  );
}

/** Checks the directory of keys, profile and state. */
function examineHome(): Finding[] {
  let home: string;
  try {
    home = cmdopHome();
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return [
      failed(
        "home",
        `This user has no home directory (${why}).`,
        "Set CMDOP_HOME to a directory of its own.",
      ),
    ];
  }
  const distrust = whyDistrusted(home);
  if (distrust !== undefined) return [failed("home", distrust.reason, distrust.next)];
  if (!existsSync(home)) {
    return [
      warning("home", `${home} is not there yet.`, "Run cmdop up, or cmdop init, or set CMDOP_API_KEY."),
    ];
  }
  try {
    const { bavail, bsize, ffree, files } = statfsSync(home);
    const freeBytes = bavail * bsize;
    return [
      ok("home", home),
      examineSpace("disk", { path: home, freeBytes, freeFiles: ffree, totalFiles: files }),
    ];
  } catch (thrown) {
    return [failedBy("home", thrown)];
  }
}

/** Checks the room on a file system. */
export function examineSpace(
  check: string,
  disk: { path: string; freeBytes: number; freeFiles: number; totalFiles: number },
): Finding {
  const { path, freeBytes, freeFiles, totalFiles } = disk;
  const room = `${sizeText(freeBytes)} free at ${path}`;
  const next = "Delete what is not needed there, or let CMDOP_HOME be on another disk.";
  if (freeBytes < NO_BYTES) return failed(check, `The disk is full: ${room}.`, next);
  if (totalFiles > 0 && freeFiles < LITTLE_FILES) {
    return failed(check, `The disk can hold only ${freeFiles} more files at ${path}.`, next);
  }
  if (freeBytes < LITTLE_BYTES) return warning(check, `The disk is nearly full: ${room}.`, next);
  return ok(check, room);
}
