#!/usr/bin/env node
import { NEEDED_NODE_MAJOR } from "./needed-node.ts";

// `version` is answered before anything else is loaded or a home looked at: install scripts and doctors ask for it anywhere.
const [, , word, format, ...others] = process.argv;
if (word === "version" && (format === undefined || format === "--json") && others.length === 0) {
  const { versionText } = await import("./version-text.ts");
  process.stdout.write(versionText(format === "--json"));
} else if (Number.parseInt(process.versions.node, 10) < NEEDED_NODE_MAJOR) {
  // An older Node ends at the first module that it does not have, with a stack trace.
  process.stderr.write(
    `error: cmdop needs Node ${NEEDED_NODE_MAJOR} or later; ${process.execPath} is Node ${process.versions.node}.\nnext:  Install a newer Node, or use an archive of cmdop, which brings its own.\n`,
  );
  process.exitCode = 1;
} else await import("./start.ts");
