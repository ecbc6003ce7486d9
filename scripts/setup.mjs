// Installs what the workspace needs, from lockfiles alone: pnpm by the hashes of
// scripts/pnpm/package-lock.json, all else (Node 24 too) by those of
// pnpm-lock.yaml. Plain JavaScript, since it runs on whatever Node there is.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** Ours strips types as it loads files, and has SQLite. */
const NEEDED_NODE_MAJOR = 24;

const root = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "..");
const pnpmHome = path.join(root, "scripts", "pnpm");
const pinned = JSON.parse(readFileSync(path.join(pnpmHome, "package.json"), "utf8")).optionalDependencies;

/** What takes a while is said while it lasts, on stderr: scripts read the other. */
const say = (text) => console.error(text);

/** Runs a program to its end; says what failed and ends where it did. */
function run(program, args, cwd = root) {
  const { status, signal, error } = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `error: ${[program, ...args].join(" ")}: ${error?.message ?? signal ?? `exit code ${status}`}`,
  );
  console.error(
    "next:  Look at what it said above; it needs the npm registry, or a cache that has everything.",
  );
  process.exit(status ?? 1);
}

/** The pnpm of this platform, installed where it is not there yet; undefined for a platform that has none of its own. */
function pnpmProgram() {
  const name = `@pnpm/exe.${process.platform}-${process.arch}`;
  const version = pinned[name];
  if (version === undefined) return undefined;
  const folder = path.join(pnpmHome, "node_modules", name);
  const isThere = () =>
    existsSync(path.join(folder, "pnpm")) &&
    JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")).version === version;
  if (isThere()) return path.join(folder, "pnpm");
  say(`Getting pnpm ${version}, which installs the rest …`);
  run("npm", ["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"], pnpmHome);
  // With another C library than the pinned one's npm installs nothing.
  return isThere() ? path.join(folder, "pnpm") : undefined;
}

/** Whether pnpm has been here: a set-up of long ago is only brought up to date, in no time. */
const isInstalled = existsSync(path.join(root, "node_modules", ".pnpm", "lock.yaml"));

const [anyVersion] = Object.values(pinned);
// Where npm install was called by reflex, its node_modules are replaced unasked.
const install = ["install", "--frozen-lockfile", "--silent", "--config.confirm-modules-purge=false"];
const pnpm = pnpmProgram();
if (!isInstalled) say("Installing Node 24 and all packages into this directory: a minute or two …");
if (pnpm === undefined) run("npx", ["-y", `pnpm@${anyVersion}`, ...install]);
else run(pnpm, install);

const ownNode = path.join(root, "node_modules", ".bin", "node");
if (!existsSync(ownNode) && Number(process.versions.node.split(".")[0]) < NEEDED_NODE_MAJOR) {
  console.error(
    `error: cmdop needs Node ${NEEDED_NODE_MAJOR}; this is ${process.version}, and for ${process.platform}-${process.arch} none is pinned.`,
  );
  console.error("next:  Install Node 24 from nodejs.org, and run this again with it.");
  process.exit(1);
}
