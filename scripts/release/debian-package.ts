import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setInterpreter } from "./node-binary.ts";
import type { Platform } from "./platform.ts";

/** Directory of the program in packages and images. */
export const SYSTEM_PLACE = "/usr/lib/cmdop";

/** Puts an unpacked archive where a system has it, ready to run there. */
export function placeInSystem(archive: string, root: string, { loader }: Platform): void {
  const place = path.join(root, SYSTEM_PLACE);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(path.dirname(place), { recursive: true });
  cpSync(archive, place, { recursive: true, verbatimSymlinks: true });
  const [offset = ""] = readFileSync(path.join(place, "lib/interpreter"), "utf8").split(" ");
  setInterpreter(path.join(place, "bin/node"), Number(offset), `${SYSTEM_PLACE}/lib/${loader}`);
  mkdirSync(path.join(root, "usr/bin"), { recursive: true });
  symlinkSync("../lib/cmdop/bin/cmdop", path.join(root, "usr/bin/cmdop"));
}

/** Writes a Debian package of what `placeInSystem` has made. It depends on nothing. */
export function writeDeb(
  file: string,
  root: string,
  { debian }: Platform,
  version: string,
  epochS: number,
): void {
  mkdirSync(path.join(root, "DEBIAN"));
  writeFileSync(
    path.join(root, "DEBIAN/control"),
    `Package: cmdop
Version: ${version}
Architecture: ${debian}
Maintainer: cmdop
Section: admin
Priority: optional
Description: turn any machine into an API endpoint and an AI tool
 Agent, relay and command line of cmdop, with their own Node.
`,
  );
  execFileSync("chmod", ["-R", "u+rwX,go+rX,go-w", root]);
  execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z6", "--build", root, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epochS) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  rmSync(path.join(root, "DEBIAN"), { recursive: true });
}
