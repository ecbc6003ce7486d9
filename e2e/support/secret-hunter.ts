/**
 * What a job that has turned against its user would do: looks through everything
 * that this user can read for what would make it an owner. A line of JSON: where
 * it has found something.
 *
 *   node secret-hunter.ts HOME NEEDLES.json
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import path from "node:path";
import { CmdopError, keyPairOf, readRoster } from "@cmdop/proto";

/** What is read at once of another process's memory, and what is left of it for a needle that lies across. */
const MEMORY_CHUNK_BYTES = 1024 * 1024;
const OVERLAP_BYTES = 256;

const [home = "", needlesFile = ""] = process.argv.slice(2);

/** Texts that must be nowhere. They come in a file, since a command line is itself looked through. */
const needles: string[] = JSON.parse(readFileSync(needlesFile, "utf8"));

/** What cannot be read, or has ended meanwhile, tells a thief nothing. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

function* filesBelow(directory: string): Generator<string> {
  for (const entry of attempt(() => readdirSync(directory, { withFileTypes: true }), [])) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file);
    else if (entry.isFile() && file !== needlesFile) yield file;
  }
}

const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);

/** The owners that this machine obeys. */
function owners(): readonly string[] {
  const stored: { roster?: string } = JSON.parse(
    readFileSync(path.join(home, "agent", "membership.json"), "utf8"),
  );
  return stored.roster === undefined ? [] : readRoster(stored.roster).owners;
}

/** Whether some 43 characters of a text are the private key of an owner. */
function holdsOwner(text: string, wanted: readonly string[]): boolean {
  return [...text.matchAll(/[\w-]{43,}/g)].some(([word]) => {
    const from = [word, ...(word.match(/[\w-]{43}/g) ?? []), word.slice(word.lastIndexOf("_") + 1)];
    return from.some((candidate) => {
      const bytes = Buffer.from(candidate, "base64url");
      const seeds = [bytes.subarray(0, 32), bytes.subarray(1, 33)].filter(({ length }) => length === 32);
      return seeds.some((seed) => wanted.includes(keyPairOf(seed).publicKey));
    });
  });
}

/** The memory of a process of this user, as its debugger would read it. */
function* memoryOf(pid: string): Generator<Buffer> {
  const maps = attempt(() => readFileSync(`/proc/${pid}/maps`, "utf8"), "");
  const memory = attempt(() => openSync(`/proc/${pid}/mem`, "r"), undefined);
  if (memory === undefined) return;
  const chunk = Buffer.alloc(MEMORY_CHUNK_BYTES);
  for (const [, from = "", to = ""] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
    const end = Number.parseInt(to, 16);
    for (let at = Number.parseInt(from, 16); at < end; at += MEMORY_CHUNK_BYTES - OVERLAP_BYTES) {
      const length = Math.min(MEMORY_CHUNK_BYTES, end - at);
      yield chunk.subarray(
        0,
        attempt(() => readSync(memory, chunk, 0, length, at), 0),
      );
    }
  }
  closeSync(memory);
}

const found = new Set<string>();
const wanted = owners();
const places = [
  ...filesBelow(home),
  ...processes.flatMap((pid) => [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`]),
];
for (const place of places) {
  const text = attempt(() => readFileSync(place, "latin1"), "");
  if (needles.some((needle) => text.includes(needle))) found.add(place);
  if (holdsOwner(text, wanted)) found.add(place);
}
// Only processes that have to do with this home: reading all memory of a machine takes minutes.
for (const pid of processes) {
  const isOurs = attempt(() => readFileSync(`/proc/${pid}/environ`, "latin1"), "").includes(home);
  if (!isOurs) continue;
  for (const chunk of memoryOf(pid)) {
    if (needles.some((needle) => chunk.includes(needle, 0, "latin1"))) found.add(`/proc/${pid}/mem`);
  }
}
if (wanted.length === 0) throw new CmdopError("NotFound", "no owner to look for");
process.stdout.write(`${JSON.stringify([...found])}\n`);
