import { execFileSync, spawnSync } from "node:child_process";

/** Programs that a release needs, and the Debian package that has each. */
const NEEDED: Readonly<Record<string, string>> = {
  patchelf: "patchelf",
  "x86_64-linux-gnu-strip": "binutils-x86-64-linux-gnu",
  "aarch64-linux-gnu-strip": "binutils-aarch64-linux-gnu",
  "dpkg-deb": "dpkg",
  "apt-get": "apt",
  tar: "tar",
};

/** Throws, with the command that installs them, where one is missing. */
export function requirePrograms(names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).error);
  if (missing.length === 0) return;
  const packages = missing.map((name) => NEEDED[name] ?? name);
  throw new Error(
    `A release needs ${missing.join(", ")}. Next: apt-get install ${packages.join(" ")} (on Debian 12).`,
  );
}

/** Runs a program to its end; throws, with what it wrote, where it fails. */
export function run(program: string, args: readonly string[], cwd?: string): string {
  return execFileSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    stdio: ["ignore", "pipe", "pipe"],
  });
}
