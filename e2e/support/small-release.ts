import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  type Artefact,
  generateKeyPair,
  INSTALLER_FILE,
  MANIFEST_FILE,
  PROTOCOL,
  signManifest,
} from "@cmdop/proto";
import { PROGRAM } from "../../scripts/bundle.ts";
import { installerText } from "../../scripts/release/installer.ts";
import { gzip, tarOf } from "../../scripts/release/tarball.ts";

const RELEASE_SCRIPTS = path.join(import.meta.dirname, "../../scripts/release");

/** Bytes that `bin/node` keeps for the path of its loader, as a real archive's does. */
const ROOM_BYTES = 512;

const VERSION = "0.1.0";

/** A release of this platform, made in a moment: its Node is the one of this process. */
export interface SmallRelease {
  readonly directory: string;
  /** The file of its archive. */
  readonly archive: string;
  /** The public half of the key that signed it. */
  readonly releaseKey: string;
}

/** Makes one as `npm run release` does: the same scripts, layout and manifest, but no Node and no C library of its own. */
export async function makeSmallRelease(directory: string): Promise<SmallRelease> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `cmdop-${VERSION}-${platform}`;
  const root = path.join(directory, name);
  for (const place of ["bin", "lib"]) await mkdir(path.join(root, place), { recursive: true });
  await cp(PROGRAM, path.join(root, "program"), { recursive: true });
  await writeFile(
    path.join(root, "package.json"),
    JSON.stringify({ name: "cmdop", version: VERSION, type: "module" }),
  );
  // Any user may start it there, wherever this checkout is.
  const node = path.join(directory, "node");
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  await chmod(node, 0o755);
  const start = `#!/bin/sh\nexec '${node}' "$@"\n#`;
  await writeFile(path.join(root, "bin/node"), `${start}${"-".repeat(ROOM_BYTES)}\n`);
  await symlink("/lib", path.join(root, "lib/ld.so"));
  await writeFile(path.join(root, "lib/interpreter"), `${start.length} ${ROOM_BYTES} ld.so\n`);
  await copyFile(path.join(RELEASE_SCRIPTS, "launcher.sh"), path.join(root, "bin/cmdop"));
  await copyFile(path.join(RELEASE_SCRIPTS, "relocate.sh"), path.join(root, "relocate.sh"));
  for (const file of ["bin/node", "bin/cmdop", "relocate.sh"]) await chmod(path.join(root, file), 0o755);

  const write = async (file: string, content: Buffer): Promise<Artefact> => {
    await writeFile(path.join(directory, file), content);
    return { file, sha256: createHash("sha256").update(content).digest("hex"), bytes: content.length };
  };
  const archives = { [platform]: await write(`${name}.tar.gz`, gzip(tarOf(root, 0))) };
  await rm(root, { recursive: true });
  const installer = await write(INSTALLER_FILE, Buffer.from(installerText(VERSION, archives)));
  const signer = generateKeyPair();
  const manifest = await signManifest(
    {
      product: "cmdop",
      version: VERSION,
      commit: "0".repeat(40),
      committedAt: 0,
      protocol: PROTOCOL,
      installer,
      archives,
    },
    signer,
  );
  await write(MANIFEST_FILE, Buffer.from(manifest));
  return { directory, archive: path.join(directory, `${name}.tar.gz`), releaseKey: signer.publicKey };
}
