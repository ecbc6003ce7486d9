import type { Log } from "@cmdop/agent";
import { jsonLine, jsonText } from "./json-line.ts";
import { printable } from "./printable.ts";

/** A log on stderr: a line an event, for people or with `--log json` for programs. */
export function stderrLog(format: "text" | "json"): Log {
  const line =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
      const time = new Date().toISOString();
      if (format === "json") {
        process.stderr.write(jsonLine({ time, level, event, ...fields }));
        return;
      }
      const details = Object.entries(fields).map(
        ([name, value]) =>
          `${name}=${typeof value === "string" ? jsonText(value) : printable(String(value))}`,
      );
      process.stderr.write(`${[time, level.padEnd(5), event, ...details].join(" ")}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}
