import { CmdopError } from "@cmdop/sdk";

/** The systemd that runs a unit: the machine's, or that of the user who installs it. */
export type UnitScope = "system" | "user";

/** The home that a unit of ours names; undefined where the text is none of ours. */
export function homeOfUnit(text: string): string | undefined {
  const [, quoted] = /^Environment="CMDOP_HOME=((?:[^"\\]|\\.)*)"$/m.exec(text) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1").replaceAll("%%", "%");
}

/** A word of a command line as systemd reads it: `%` begins a specifier and `$` a variable. */
export function commandWord(word: string): string {
  return quoted(word).replaceAll("$", "$$$$");
}

/** A variable as Environment= reads it. */
export function assignment(name: string, value: string): string {
  return quoted(`${name}=${value}`);
}

/** A file as EnvironmentFile= reads it: no quotes, but `%` begins a specifier, and there can be wildcards. */
export function fileName(file: string): string {
  return quoted(file).slice(1, -1).replaceAll('\\"', '"').replaceAll(/[*?[]/g, "\\$&");
}

function quoted(word: string): string {
  if (/\p{Cc}/u.test(word)) {
    throw new CmdopError("InvalidArgument", `${JSON.stringify(word)} can't stand in a systemd unit.`, {
      next: "Use paths without control characters.",
    });
  }
  return `"${word.replaceAll(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`;
}
