import { writeFileSync } from "node:fs";
import path from "node:path";
import { commandLine } from "../cli/src/program.ts";
import { ROOT } from "./lockfile.ts";

/** The page that is made. */
export const REFERENCE = path.join(ROOT, "docs", "cli.md");

/** Columns that help is wrapped at, whatever the terminal of who makes it. */
const HELP_WIDTH = 100;

type Command = ReturnType<typeof commandLine>["commands"][number];

const HEAD = `# The command line

Made from the definitions of the commands by \`npm run cli-reference\`: every text here is what \`--help\` prints.

## For all commands

- **Output.** Results go to standard output, everything else to standard error. Tables have a heading, fit the terminal,
  and show names and the beginnings of ids; into a pipe they are not cut. Colours are for terminals, and never with
  \`NO_COLOR\`.
- **Ids.** Every command that takes an id takes its beginning too, from four characters on. One that several have is
  refused (\`Ambiguous\`, \`MachineAmbiguous\`) with all of them. An id that begins with a dash comes after \`--\`.
- **\`--json\`, \`-o json\`.** One object a line, with whole ids. Then every line of standard error is an object, too: an
  error is \`{"error": {"code", "message", "next"}}\`, anything else \`{"warning"}\`, \`{"note"}\` or \`{"detail"}\`. \`code\` is the
  code of the SDK's errors, or the system's (\`EACCES\`); \`next\` is the next step, or null.
- **\`-q\`** says only errors, warnings and how jobs ended; **\`-v\`** also says which home, key and relay are used, and the
  code and causes of an error.
- **Exit codes.** 0; 1 where it failed; 2 for wrong use; 141 where whoever read the output has left (\`| head\`). \`exec\`,
  \`run\`, \`shell\` and \`logs --follow\` end with the job's own code, and with 255 where cmdop itself failed.
- **Surroundings.** Without a home (no \`HOME\`, no entry for the user) set \`CMDOP_HOME\`. In a home that can't be written
  only commands with a key work. A second \`cmdop up\` in a home shows the block of the one that runs, and ends with 0.

`;

/** The reference: what help says of each command, in the order of help. */
export function cliReference(): string {
  const program = commandLine();
  return HEAD + program.commands.flatMap((command) => pages(command, "cmdop")).join("\n");
}

function pages(command: Command, above: string): string[] {
  const name = `${above} ${command.name()}`;
  if (command.name().startsWith("__")) return [];
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => HELP_WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  const lines = text.trimEnd().replaceAll(/[ \t]+$/gm, "");
  return [
    `## ${name}\n\n\`\`\`text\n${lines}\n\`\`\`\n`,
    ...command.commands.flatMap((below) => pages(below, name)),
  ];
}

if (import.meta.main) writeFileSync(REFERENCE, cliReference());
