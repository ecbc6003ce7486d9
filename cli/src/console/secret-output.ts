import { fchmodSync, fstatSync } from "node:fs";
import { isOpenToOthers } from "@cmdop/kit";
import { warn } from "./output.ts";

/** The file descriptor of standard output. */
const STDOUT = 1;

/** Only its owner may read or write. */
const PRIVATE_MODE = 0o600;

/**
 * Makes standard output's file private before a secret goes there: `cmdop
 * join-token web-1 > token` would leave it as the umask says, open to others.
 * Says so where that can't be done.
 */
export function makeOutputPrivate(): void {
  const output = fstatSync(STDOUT);
  if (!output.isFile() || !isOpenToOthers(output.mode)) return;
  if (output.uid === process.getuid?.()) {
    fchmodSync(STDOUT, PRIVATE_MODE);
    return;
  }
  warn("standard output is another user's file that others can read: the secret in it is no secret.");
}
