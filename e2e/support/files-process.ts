import { readdir, readFile } from "node:fs/promises";

/** The process that works on files for an agent; undefined while there is none. */
export async function filesProcessOf(agentPid: number): Promise<number | undefined> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const [stat, command] = await Promise.all([
      textOf(`/proc/${name}/stat`),
      textOf(`/proc/${name}/cmdline`),
    ]);
    // pid (name) state parent …; the name may contain anything.
    const parent = /\) \S (\d+) [^)]*$/.exec(stat)?.[1];
    if (Number(parent) === agentPid && command.includes("files-process")) return Number(name);
  }
  return undefined;
}

/** Empty where the process is gone by now. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && (thrown.code === "ENOENT" || thrown.code === "ESRCH"))
      return "";
    throw thrown;
  }
}
