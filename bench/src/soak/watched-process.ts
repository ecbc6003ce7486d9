import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { z } from "zod";

/** What a soak looks at, by the name that its table shows. */
export const MEASURES = ["rss", "heap after gc", "external", "descriptors", "disk"] as const;
export type Measure = (typeof MEASURES)[number];

/** Memory and disk in MiB, descriptors in numbers. */
export type Reading = Readonly<Partial<Record<Measure, number>>>;

/** A process of the soak. */
export interface WatchedProcess {
  readonly name: string;
  readonly pid: () => number;
  /** Where it keeps its files, if it keeps any. */
  readonly directory?: string | undefined;
}

const MIB = 1024 * 1024;

/** What a file's blocks are counted in. */
const BLOCK_BYTES = 512;

/** A process that collects its garbage takes a while on a busy machine, in milliseconds. */
const ANSWER_MS = 10_000;

const answerSchema = z.object({
  asked: z.number(),
  rss: z.number(),
  heapUsed: z.number(),
  external: z.number(),
});

/** Does something; the processes that it starts meanwhile can be read afterwards, by files in `directory`. */
export async function withProbe<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_OPTIONS;
  const probe = pathToFileURL(path.join(import.meta.dirname, "memory-probe.ts"));
  probe.searchParams.set("directory", directory);
  process.env.NODE_OPTIONS = `--import ${probe.href}`;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
}

/** What a process needs now, its garbage collected. */
export async function read({ pid, directory }: WatchedProcess, probes: string): Promise<Reading> {
  const id = pid();
  const file = path.join(probes, `${id}.json`);
  const before = await answer(file);
  process.kill(id, "SIGUSR2");
  const deadline = performance.now() + ANSWER_MS;
  let now = await answer(file);
  while (now === undefined || now.asked === before?.asked) {
    if (performance.now() > deadline) throw new Error(`process ${id} did not say what memory it needs`);
    await sleep(20);
    now = await answer(file);
  }
  const descriptors = (await readdir(`/proc/${id}/fd`)).length;
  return {
    rss: now.rss / MIB,
    "heap after gc": now.heapUsed / MIB,
    external: now.external / MIB,
    descriptors,
    ...(directory === undefined ? {} : { disk: (await diskBytes(directory)) / MIB }),
  };
}

async function answer(file: string): Promise<z.infer<typeof answerSchema> | undefined> {
  try {
    return answerSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (thrown) {
    // There is none yet, or it is just being written.
    if (thrown instanceof SyntaxError || isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** What goes meanwhile counts nothing: jobs' output comes and goes all the time. */
async function diskBytes(directory: string): Promise<number> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }));
  let bytes = 0;
  for (const entry of entries ?? []) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) bytes += await diskBytes(file);
    else bytes += ((await unlessMissing(lstat(file)))?.blocks ?? 0) * BLOCK_BYTES;
  }
  return bytes;
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
