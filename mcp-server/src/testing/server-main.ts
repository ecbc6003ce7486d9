import { serveMcpStdio } from "../index.ts";
import { scriptedClient } from "./scripted-client.ts";

/**
 * An MCP server for tests, over this process's stdin and stdout: what happens to
 * its jobs, and its own orderly end, are lines of JSON on stderr.
 * Arguments: waitMs, progressIntervalMs, "underscore" or "dotted".
 */
const [waitMs, progressIntervalMs, toolNames] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const tell = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`);

await serveMcpStdio({
  client: scriptedClient(tell),
  version: "0.0.0",
  toolNames: toolNames === "dotted" ? "dotted" : "underscore",
  signal: stop.signal,
  timings: {
    ...(waitMs === undefined ? {} : { waitMs: Number(waitMs) }),
    ...(progressIntervalMs === undefined ? {} : { progressIntervalMs: Number(progressIntervalMs) }),
  },
});
tell({ what: "served" });
