import { fstatSync } from "node:fs";
import type { Log } from "@cmdop/agent";
import { isErrno } from "@cmdop/kit";
import { usageError } from "./exit.ts";
import { jsonLine, jsonText } from "./json-line.ts";
import { printable } from "./printable.ts";

/** From the least to the most important, with the number that systemd's journal has for it. */
const LEVELS = { debug: 7, info: 6, warn: 4, error: 3 } as const;

export type LogLevel = keyof typeof LEVELS;
export type LogFormat = "text" | "json";

/** Format and level of a log. */
export interface LogSettings {
  readonly format: LogFormat;
  /** The least important that is written. */
  readonly level: LogLevel;
}

/** Options of a command line about its log. */
export interface LogOptions {
  readonly log?: string | undefined;
  readonly logLevel?: string | undefined;
}

/**
 * The settings of a log: what the command line says, then CMDOP_LOG (`json`,
 * `debug`, or both as `json,debug`), then `level` and text.
 * @throws usage errors for a word that is none of them
 */
export function logSettings(options: LogOptions, level: LogLevel = "info"): LogSettings {
  const settings: { format: LogFormat; level: LogLevel } = { format: "text", level };
  const take = (word: string, from: string): void => {
    if (isLevel(word)) settings.level = word;
    else if (word === "text" || word === "json") settings.format = word;
    else
      throw usageError(
        `${from} does not know ${jsonText(word)}.`,
        "Say text or json, and debug, info, warn or error.",
      );
  };
  for (const word of (process.env.CMDOP_LOG ?? "").split(/[\s,]+/)) if (word !== "") take(word, "CMDOP_LOG");
  if (options.log !== undefined) take(options.log, "--log");
  if (options.logLevel !== undefined) take(options.logLevel, "--log-level");
  return settings;
}

function isLevel(word: string): word is LogLevel {
  return Object.hasOwn(LEVELS, word);
}

/**
 * A log on stderr: a line an event, for people or as JSON for programs. Where
 * stderr is systemd's journal, the text has no time, which the journal has, and
 * its level in the journal's own way.
 */
export function stderrLog({ format, level }: LogSettings): Log {
  const inJournal = format === "text" && isJournal();
  const line =
    (of: LogLevel) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (LEVELS[of] > LEVELS[level]) return;
      const time = new Date().toISOString();
      if (format === "json") {
        process.stderr.write(jsonLine({ time, level: of, event, ...fields }));
        return;
      }
      const details = Object.entries(fields).map(
        ([name, value]) =>
          `${name}=${typeof value === "string" ? jsonText(value) : printable(String(value))}`,
      );
      const begin = inJournal ? `<${LEVELS[of]}>${event}` : `${time} ${of.padEnd(5)} ${event}`;
      process.stderr.write(`${[begin, ...details].join(" ")}\n`);
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** Returns true if stderr goes to the journal; systemd names its file in JOURNAL_STREAM. */
function isJournal(): boolean {
  const journal = process.env.JOURNAL_STREAM;
  if (journal === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return journal === `${dev}:${ino}`;
  } catch (thrown) {
    if (isErrno(thrown, "EBADF")) return false;
    throw thrown;
  }
}
