import { jsonLine } from "./json-line.ts";

/** How much is said on stderr: only errors and warnings, remarks too, or what is done on the way as well. */
export type Level = "quiet" | "normal" | "verbose";

/** How a command prints: one for the process, because a process is one command. */
interface Output {
  /** True for JSON: results on stdout, and every line on stderr is an object. */
  json: boolean;
  level: Level;
}

const output: Output = { json: false, level: "normal" };

/** Sets how this command prints. */
export function setOutput(chosen: Readonly<Partial<Output>>): void {
  Object.assign(output, chosen);
}

export function printsJson(): boolean {
  return output.json;
}

export function outputLevel(): Level {
  return output.level;
}

/** Says something that helps and that nobody has to know: not with --quiet. */
export function note(text: string): void {
  if (output.level !== "quiet") say({ note: text }, text);
}

/** Says something that a person has to know, about a job or a copy that goes on or has ended. */
export function report(text: string): void {
  say({ note: text }, `cmdop: ${text}`);
}

/** Says that something is risky or was not as it should be. */
export function warn(text: string): void {
  say({ warning: text }, `warning: ${text}`);
}

/** Says what is done on the way: only with --verbose. */
export function detail(text: string): void {
  if (output.level === "verbose") say({ detail: text }, `cmdop: ${text}`);
}

/** Writes one thing to stderr: a line of JSON, or the text. */
export function say(json: Readonly<Record<string, unknown>>, text: string): void {
  process.stderr.write(output.json ? jsonLine(json) : `${text}\n`);
}
