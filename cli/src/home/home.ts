import { mkdir } from "node:fs/promises";
import path from "node:path";
import { diskError, writePrivateFile } from "@cmdop/proto";
import { cmdopHome, profilePath } from "@cmdop/sdk";

/** Paths below CMDOP_HOME. */
export const homePaths = {
  home: (): string => cmdopHome(),
  owner: (): string => path.join(cmdopHome(), "owner"),
  relay: (): string => path.join(cmdopHome(), "relay"),
  profile: (): string => profilePath(),
};

/** Replaces a file that only its owner can read, in a directory that only its owner can enter. @throws CmdopError that names the file */
export async function writeHomeFile(file: string, content: string): Promise<void> {
  await makeHomeDirectory(path.dirname(file));
  await writePrivateFile(file, content);
}

/** Makes a directory that only its owner can enter, where it is missing. @throws CmdopError that names it */
export async function makeHomeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw diskError(thrown, "make", directory);
  }
}
