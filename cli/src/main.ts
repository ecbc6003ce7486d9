#!/usr/bin/env node
// `version` is answered before anything else is loaded or a home looked at: install scripts and doctors ask for it anywhere.
const [, , word, format, ...others] = process.argv;
if (word === "version" && (format === undefined || format === "--json") && others.length === 0) {
  const { versionText } = await import("./version-text.ts");
  process.stdout.write(versionText(format === "--json"));
} else await import("./start.ts");

export {};
