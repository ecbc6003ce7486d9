import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { startCutWorld } from "./support/in-process.ts";
import { Random, SEED } from "./support/random.ts";

const MiB = 1024 * 1024;

/** Sixteen of them are several times what a connection lives for; each goes in one message. */
const TREE_FILE_BYTES = 384 * 1024;

/** Many times what a connection lives for. */
const FILE_BYTES = 8 * MiB;

/**
 * Connections that a transfer may use up for each that it would need if it lost
 * nothing. A transfer that loses what is under way at each cut, and all of it
 * where a connection carries less than windows and buffers hold, needs any number.
 */
const CONNECTIONS_PER_NEEDED = 25;

/** A cut costs two handshakes and a pause; this is many times that, in milliseconds. */
const TIME_LIMIT_MS = 120_000;

describe("on a line that is cut again and again, sooner than its windows are full,", {
  timeout: TIME_LIMIT_MS,
}, () => {
  it.each([
    ["upload", 1 * MiB],
    ["transfer", 2 * MiB],
    ["download", 2 * MiB],
  ] as const)("a file makes steady way: %s, connections of %i bytes at most", async (way, maxBytes) => {
    await using world = await startCutWorld(new Random(SEED), maxBytes);
    const { files } = world.client;
    const at = (name: string): string => path.join(world.directory, name);
    const content = randomBytes(FILE_BYTES);
    await writeFile(at("source"), content);
    world.cutting = true;
    if (way === "transfer") await files.transfer(at("source"), files, at("target"));
    else await files[way](at("source"), at("target"));
    const { cuts } = world;
    world.cutting = false;
    expect(content.equals(await readFile(at("target")))).toBe(true);
    // A connection carries half of the most on average, and each byte passes two.
    const needed = (2 * FILE_BYTES) / (maxBytes / 2);
    expect(cuts).toBeLessThan(needed * CONNECTIONS_PER_NEEDED);
  });

  it.each(["upload", "download"] as const)(
    "so does a tree, whose files would share what a connection carries: %s",
    async (way) => {
      const maxBytes = 2 * MiB;
      await using world = await startCutWorld(new Random(SEED), maxBytes);
      const { files } = world.client;
      const at = (...names: string[]): string => path.join(world.directory, ...names);
      await mkdir(at("source"));
      const contents = Array.from({ length: FILE_BYTES / TREE_FILE_BYTES }, () =>
        randomBytes(TREE_FILE_BYTES),
      );
      for (const [name, content] of contents.entries()) await writeFile(at("source", String(name)), content);
      world.cutting = true;
      await files[way](at("source"), at("target"), { recursive: true });
      const { cuts } = world;
      world.cutting = false;
      for (const [name, content] of contents.entries()) {
        expect(content.equals(await readFile(at("target", String(name))))).toBe(true);
      }
      expect(cuts).toBeLessThan(((2 * FILE_BYTES) / (maxBytes / 2)) * CONNECTIONS_PER_NEEDED);
    },
  );
});
