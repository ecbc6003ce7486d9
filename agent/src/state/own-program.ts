import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { errnoOf, userHome } from "@cmdop/kit";
import { AGENT_UNIT } from "@cmdop/proto";
import { type Landmark, landmark } from "../files/place/landmark.ts";

/**
 * Names of the agent's unit and of the directories whose settings systemd adds to it: its own, and those of
 * whole families.
 */
const UNIT_NAMES = [AGENT_UNIT, `${AGENT_UNIT}.d`, "cmdop-.service.d", "service.d"];

/** Directories in which systemd looks for units of the machine and of all users. */
const UNIT_DIRECTORIES = ["/etc", "/run", "/usr/local/lib", "/usr/lib"].flatMap((place) => [
  `${place}/systemd/system`,
  `${place}/systemd/user`,
]);

/**
 * Returns the files that this agent consists of and that start it: the tree from which its code was loaded,
 * Node itself, and the systemd unit. Anybody who could write there would soon run code as the agent. Looked up
 * once, valid while the agent runs.
 */
export async function ownProgram(): Promise<readonly Landmark[]> {
  const code = [import.meta.filename, process.argv[1]].filter((file) => file !== undefined);
  const trees = await Promise.all(code.map(async (file) => programTree(await realOf(file))));
  const files = [...new Set([...trees, process.execPath]), ...unitFiles()];
  const found = await Promise.all(files.map((file) => landmarks(file)));
  return found.flat();
}

/**
 * Returns the directory with a whole program: the packages installed together, with the versions beside it
 * that an upgrade would start, or the workspace in which it is developed.
 */
export function programTree(file: string): string {
  const [before, ...after] = file.split("/node_modules/");
  if (after.length > 0) return `${before}/node_modules`;
  const directory = path.dirname(file);
  const tree = above(directory, "pnpm-workspace.yaml") ?? above(directory, "package.json") ?? directory;
  const place = path.dirname(tree);
  return path.basename(place) === "versions" ? path.dirname(place) : tree;
}

function above(directory: string, name: string): string | undefined {
  if (existsSync(path.join(directory, name))) return directory;
  const parent = path.dirname(directory);
  return parent === directory ? undefined : above(parent, name);
}

function unitFiles(): string[] {
  const { XDG_CONFIG_HOME: config, XDG_DATA_HOME: data, XDG_RUNTIME_DIR: runtime } = process.env;
  const home = userHome() ?? "/";
  const own = [config || path.join(home, ".config"), data || path.join(home, ".local/share"), runtime];
  const directories = [
    ...UNIT_DIRECTORIES,
    ...own.filter((place) => place !== undefined).map((place) => path.join(place, "systemd/user")),
  ];
  return directories.flatMap((directory) => UNIT_NAMES.map((name) => path.join(directory, name)));
}

/** Returns a file's place, and its target if it is a link. */
async function landmarks(file: string): Promise<Landmark[]> {
  const [target, directory] = await Promise.all([landmark(file), landmark(path.dirname(file))]);
  const name = path.basename(file);
  const place = {
    path: file,
    real: path.join(directory.real, name),
    device: directory.device,
    inside: path.join(directory.inside, Buffer.from(name).toString("latin1")),
  };
  const isSame = place.device === target.device && place.inside === target.inside;
  return isSame ? [place] : [place, target];
}

/** Returns the real path of a program's file; the given path if the file is gone, as after an upgrade. */
async function realOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return path.resolve(file);
  }
}
