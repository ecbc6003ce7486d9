import type { Command } from "commander";
import { ExitWith, usageError } from "../console/exit.ts";
import { copyEnd } from "./copy-end.ts";

interface CpOptions {
  recursive?: boolean;
  preserve?: boolean;
  archive?: boolean;
  resume?: boolean;
  overwrite: boolean;
  ifMatch?: string;
  quiet?: boolean;
  json?: boolean;
}

export function registerCp(program: Command): void {
  program
    .command("cp")
    .description("copy files and directories to, from and between machines")
    .usage("[options] SOURCE... DESTINATION")
    .argument("<path...>", "a path here, or MACHINE:PATH; the last one is the destination")
    .option("-r, --recursive", "copy directories with all that is in them")
    .option(
      "-p, --preserve",
      "keep the times of the last change, and modes also where there is a file already",
    )
    .option("-a, --archive", "the same as -r -p")
    .option("--resume", "when it is broken off, keep what has arrived; the same command goes on there")
    .option("--no-overwrite", "refuse a file that exists")
    .option("--if-match <sha256>", "replace only a file on a machine whose content has this SHA-256 (hex)")
    .option("--json", "print one line of JSON when it is done: bytes, files, skipped, durationMs")
    .addHelpText(
      "after",
      `
Examples:
  cmdop cp app.tar.gz web-1:/srv/
  cmdop cp -r web-1:/var/log/app ./logs
  cmdop cp a.txt b.txt web-1:            # to the home
  cmdop cp 'web-1:/var/log/*.log' logs/  # matched on the machine
  cmdop cp -a site/. web-1:/srv/www      # what lies in site
  cmdop cp web-1:dump.sql db-1:/tmp/

Paths. On a machine a path is absolute or begins at the home: MACHINE:notes.txt, MACHINE:~/x;
MACHINE: alone is the home. A path here that has a colon: ./a:b. A directory that exists takes
the source into it by its name; several sources need one. A path that ends with a slash is a
directory: a file is never made there under that name.
Patterns. *, ? and [a-z] in the path of a source on a machine are matched there; quote them for
your shell. A name that has one of them itself: 'web-1:a\\*b'. Where nothing matches, the path
is taken as it stands.
Links. With -r links stay links, as cp -a has it (scp -r copies what they point at). A source
that is itself a link is followed, and so is a file's destination.
Modes. What is new has the source's permission bits less the umask; with -p all of them, and
the time of the last change (of directories and links, too). Owners are not kept.
Devices, FIFOs and sockets, and what can't be read or written, are passed over, and named.
A lost link is taken up again where it broke. A file appears whole, with the right content, or
not at all. Ctrl-C removes what has not arrived whole, on both sides; what can't be removed
because the machine is away goes by itself soon after (a second Ctrl-C leaves at once).

--quiet shows no progress, and says nothing of a machine that is away.

Exit codes: 0 all is there; 1 it failed, or something was passed over; 2 wrong use;
130 it was interrupted.`,
    )
    .action(async (paths: string[], options: CpOptions) => {
      const [destination, ...sources] = paths.map(copyEnd).reverse();
      if (destination === undefined || sources.length === 0) {
        throw usageError(
          "the destination is missing.",
          "Say what to copy, and where to: SOURCE... DESTINATION.",
        );
      }
      sources.reverse();
      if (destination.machine === undefined && sources.some(({ machine }) => machine === undefined)) {
        throw usageError("both paths are here.", "Say MACHINE:PATH for one of them, or use cp.");
      }
      if (options.ifMatch !== undefined && destination.machine === undefined) {
        throw usageError("--if-match is for a file on a machine.", "Leave it out, or copy to MACHINE:PATH.");
      }
      const { archive = false, recursive = archive, preserve = archive } = options;
      const { runCp } = await import("./run-cp.ts");
      throw new ExitWith(await runCp(sources, destination, { ...options, recursive, preserve }));
    });
}
