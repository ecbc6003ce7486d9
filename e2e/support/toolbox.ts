import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import path from "node:path";

/** Programs that fetch, each the only one on a bare machine. */
export const FETCHERS = ["curl", "wget", "busybox wget"] as const;

/** A directory for PATH: the programs of busybox, among them `sh`, and this one to fetch with. */
export async function makeToolbox(directory: string, fetcher: (typeof FETCHERS)[number]): Promise<void> {
  const busybox = programNamed("busybox");
  await mkdir(directory, { recursive: true });
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets.filter((name) => name !== "wget")) {
    await symlink(busybox, path.join(directory, applet));
  }
  const [name = "", applet] = fetcher.split(" ");
  await symlink(programNamed(name), path.join(directory, applet ?? name));
}

/** The place of a program, which is installed where it is missing. */
function programNamed(name: string): string {
  const file = `/usr/bin/${name}`;
  if (!existsSync(file))
    execFileSync("apt-get", ["install", "-y", "-q", packageOf(name)], { stdio: "ignore" });
  return file;
}

function packageOf(name: string): string {
  return name === "busybox" ? "busybox-static" : name;
}
