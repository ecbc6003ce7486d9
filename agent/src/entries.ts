import path from "node:path";

/**
 * Files that the agent runs in processes and threads of their own, by their place
 * below this one. They stand there as source, as compiled and in the
 * bundle (scripts/bundle.ts keeps the names).
 */
export const AGENT_ENTRIES = {
  spawner: "jobs/process/spawner-process",
  files: "files-process/process-entry",
  matching: "files/search/matching-thread",
  emulators: "jobs/session/emulator-thread",
  schemas: "loop/schema/schema-thread",
} as const;

/** The file to start, with the ending that the program's files have. */
export function entryFile(entry: keyof typeof AGENT_ENTRIES): string {
  return path.join(import.meta.dirname, AGENT_ENTRIES[entry] + path.extname(import.meta.filename));
}
