import type { Command } from "commander";
import { ExitWith, usageError } from "../exit.ts";

interface CpOptions {
  recursive?: boolean;
  resume?: boolean;
  overwrite: boolean;
  ifMatch?: string;
  quiet?: boolean;
}

/** One end of a copy: a path here, or one on a machine. */
export interface CopyEnd {
  readonly machine: string | undefined;
  readonly path: string;
}

export function registerCp(program: Command): void {
  program
    .command("cp")
    .description("copy files and directories to, from and between machines")
    .usage("[options] SOURCE DESTINATION")
    .argument("<source>", "a path here, or MACHINE:PATH")
    .argument(
      "<destination>",
      "a path here, or MACHINE:PATH; a directory that exists takes the source into it",
    )
    .option("-r, --recursive", "copy a directory with all that is in it")
    .option("--resume", "when it is broken off, keep what has arrived; the same command goes on there")
    .option("--no-overwrite", "refuse a file that exists")
    .option("--if-match <sha256>", "replace only a file on a machine whose content has this SHA-256 (hex)")
    .option("-q, --quiet", "no progress")
    .addHelpText(
      "after",
      `
Examples:
  cmdop cp app.tar.gz web-1:/srv/
  cmdop cp -r web-1:/var/log/app ./logs
  cmdop cp web-1:~/dump.sql db-1:/tmp/dump.sql

A path on a machine is absolute, or begins with ~; MACHINE: alone is its home. A path
here that has a colon: ./a:b. A lost link is taken up again where it broke. A file
appears whole, with the right content, or not at all.

Exit codes: 0 all is there; 1 it failed, or something was passed over; 2 wrong use;
130 it was interrupted.`,
    )
    .action(async (source: string, destination: string, options: CpOptions) => {
      const ends = { source: copyEnd(source), destination: copyEnd(destination) };
      if (ends.source.machine === undefined && ends.destination.machine === undefined) {
        throw usageError("both paths are here.", "Say MACHINE:PATH for one of them, or use cp.");
      }
      if (options.ifMatch !== undefined && ends.destination.machine === undefined) {
        throw usageError("--if-match is for a file on a machine.", "Leave it out, or copy to MACHINE:PATH.");
      }
      const { runCp } = await import("../copy/run-cp.ts");
      throw new ExitWith(await runCp(ends.source, ends.destination, options));
    });
}

/** Tells `machine:path` from a path here: a slash before the first colon makes it one. */
export function copyEnd(text: string): CopyEnd {
  const [, machine, path] = /^([^/:]+):(.*)$/s.exec(text) ?? [];
  if (machine === undefined || path === undefined) return { machine: undefined, path: text };
  return { machine, path: path === "" ? "~" : path };
}
