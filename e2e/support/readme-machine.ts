import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Cluster, ClusterMachine } from "./cluster.ts";

/** Programs that README's examples start, each doing nothing, or little. */
const PROGRAMS = ["docker", "git", "kubectl", "make"];

/** Directories that the machine has of its own; all others are the host's. */
const PLACES = ["etc", "home", "srv", "usr/local/bin", "var/log"];

/** A machine that has what README's examples name, and on which they may write: the host sees nothing of it. Needs root. */
export async function addReadmeMachine(cluster: Cluster): Promise<ClusterMachine> {
  const root = path.join(cluster.directory, "readme-machine");
  const file = async (name: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
    await chmod(path.join(root, name), mode);
  };
  for (const place of PLACES) await mkdir(path.join(root, place), { recursive: true });
  await cp("/etc", path.join(root, "etc"), { recursive: true, verbatimSymlinks: true });
  for (const name of PROGRAMS) await file(`usr/local/bin/${name}`, "#!/bin/sh\n", 0o755);
  await file("usr/local/bin/journalctl", "#!/bin/sh\necho 'web-1 app: started'\n", 0o755);
  await file("etc/bash.bashrc", "PS1='$ '\n");
  await file("etc/app.conf", "port = 80\n");
  await file("etc/nginx/sites/old.conf", "");
  await file("var/log/app/error.log", "it is broken\n");
  await file("var/log/app.log", "");
  await file("home/user/notes.txt", "");
  await file("srv/app/main.ts", "export const port = 80;\n");
  await file("srv/app/nightly.sh", "#!/bin/sh\n", 0o755);
  await file("srv/in/.keep", "");
  const enter = path.join(root, "enter");
  // What is below /home may be this checkout.
  const homes = `for home in /home/*/; do [ ! -d "$home" ] || { mkdir -p "${root}$home"; mount --rbind "$home" "${root}$home"; }; done`;
  const mounts = PLACES.map((place) => `mount --bind '${root}/${place}' /${place}`);
  await file("enter", ["set -e", homes, ...mounts, 'exec "$@"', ""].join("\n"));
  const machine = await cluster.addMachine("web-1");
  await machine.process.stop();
  await cluster.restartAgent(machine, {}, { shellLine: `exec unshare --mount sh '${enter}' "$@"` });
  return machine;
}
