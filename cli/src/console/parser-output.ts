import type { OutputConfiguration } from "commander";
import { printsJson, say } from "./output.ts";

/** How the parser says that a command line is wrong: as text with a hint, or as one line of JSON. */
export const parserOutput: OutputConfiguration = {
  writeErr(text) {
    // The hint how to get help, and help where a command is missing.
    if (!printsJson()) process.stderr.write(text);
  },
  outputError(text, write) {
    if (!printsJson()) return write(text);
    const [message = "", ...hints] = text
      .replace(/^error: /, "")
      .trim()
      .split("\n");
    const next = hints.map((hint) => hint.replace(/^\((.*)\)$/, "$1")).join(" ");
    const error = {
      code: "InvalidArgument",
      message,
      next: next || "Run it with --help to see how it is used.",
    };
    say({ error }, text);
  },
};
