import { type Command, Option } from "commander";
import { type Level, setOutput } from "./output.ts";

/** Options that say how a command prints. */
interface OutputOptions {
  readonly json?: boolean;
  readonly output?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/**
 * Gives every command below one the options about its output, each with one meaning everywhere. `-o json` is
 * for those that have `--json`.
 */
export function addOutputOptions(command: Command): void {
  for (const below of command.commands) {
    addOutputOptions(below);
    const isGroup = below.commands.length > 0;
    if (hasJson(below)) {
      below.addOption(new Option("-o, --output <format>", "the same as --json").choices(["text", "json"]));
    } else if (isGroup) continue;
    below.option("-q, --quiet", "say only errors and warnings on standard error");
    below.option("-v, --verbose", "say on standard error what is done on the way, and the causes of errors");
  }
}

/** Sets how this process prints, from a command's options and those of the commands above it. */
export function applyOutputOptions(command: Command): void {
  const { json = false, output, quiet, verbose } = command.optsWithGlobals<OutputOptions>();
  const isJson = json || output === "json";
  const level: Level = quiet ? "quiet" : verbose ? "verbose" : "normal";
  // Commands read their own option.
  if (hasJson(command)) command.setOptionValue("json", isJson);
  setOutput({ json: isJson && hasJson(command), level });
}

/** Returns true if a command line asks for JSON, as far as that can be told before it is parsed. */
export function asksForJson(argv: readonly string[]): boolean {
  const dashes = argv.indexOf("--");
  const words = dashes === -1 ? argv : argv.slice(0, dashes);
  return words.some(
    (word, index) =>
      ["--json", "-ojson", "--output=json"].includes(word) ||
      (word === "json" && ["-o", "--output"].includes(words[index - 1] ?? "")),
  );
}

function hasJson(command: Command): boolean {
  return command.options.some(({ long }) => long === "--json");
}
