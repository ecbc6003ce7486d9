import path from "node:path";
import { pathToFileURL } from "node:url";

const PRELOAD = path.join(import.meta.dirname, "shifted-clock.ts");

/** Does something; processes that it starts meanwhile have a clock that is off by so many milliseconds, or by those that stand in a file at any time. */
export async function withClock<T>(shift: number | { file: string }, work: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_OPTIONS;
  const url = pathToFileURL(PRELOAD);
  if (typeof shift === "number") url.searchParams.set("ms", String(shift));
  else url.searchParams.set("file", shift.file);
  process.env.NODE_OPTIONS = `--import ${url.href}`;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
}
