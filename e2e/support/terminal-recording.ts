import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

/** Where scripts/record-terminal-programs.ts leaves its recordings. */
export const RECORDINGS = path.join(import.meta.dirname, "../fixtures/terminal-programs");

const momentSchema = z.strictObject({
  /** What a person would call it. */
  name: z.string(),
  /** What the program wrote since the moment before. */
  bytes: z.string(),
  /** What tmux shows after all bytes up to here, line by line, without trailing blanks. */
  lines: z.array(z.string()),
  cursor: z.strictObject({ col: z.number(), row: z.number() }),
  /** Whether it shows the alternate screen. */
  alternate: z.boolean(),
});

const recordingSchema = z.strictObject({
  program: z.string(),
  cols: z.number(),
  rows: z.number(),
  moments: z.array(momentSchema),
});

/** What one program wrote in a terminal of one size, and what tmux made of it. */
export type TerminalRecording = z.infer<typeof recordingSchema>;

/** Every recording that there is. */
export function terminalRecordings(): TerminalRecording[] {
  return readdirSync(RECORDINGS).map((name) =>
    recordingSchema.parse(JSON.parse(readFileSync(path.join(RECORDINGS, name), "utf8"))),
  );
}
