import { createHash } from "node:crypto";
import { getEventListeners } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { CmdopError, FileType, type ServedCall } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cut, scriptedMachine } from "../testing/scripted-machine.ts";
import { Files } from "./files.ts";

const HASH = "ab".repeat(32);

/** Any file that exists. */
const FILE = import.meta.filename;

/** Starts a machine that loses its first answer to an upload, and then answers `partial` about it. */
async function forgetful(partial: { size: bigint; entry?: object }) {
  const finishes: Uint8Array[] = [];
  const machine = await scriptedMachine(
    {},
    {
      async writeStream(requests) {
        for await (const { finish } of requests) {
          if (finish === undefined) continue;
          if (finishes.push(finish.sha256) === 1) throw cut();
          return { entry: { name: "f", path: "/f", type: FileType.FILE, sha256: finish.sha256 } };
        }
        throw cut();
      },
      partial: async () => partial,
    },
  );
  return { machine, files: new Files(machine.caller), finishes };
}

describe("promise 1: an upload with ifMatch whose reply was lost", () => {
  const CONTENT = Buffer.alloc(600_000, "x");
  const sha256 = createHash("sha256").update(CONTENT).digest();
  let source: string;
  beforeAll(async () => {
    source = path.join(await mkdtemp(path.join(os.tmpdir(), "cmdop-sdk-")), "source");
    await writeFile(source, CONTENT);
  });
  afterAll(() => rm(path.dirname(source), { recursive: true }));

  it("is done where the machine remembers it", async () => {
    const { machine, files, finishes } = await forgetful({ size: 1n, entry: { name: "f", sha256 } });
    await using _ = machine;
    expect(await files.upload(source, "/f", { ifMatch: HASH })).toMatchObject({ bytes: CONTENT.length });
    expect(finishes).toHaveLength(1);
  });

  it("is OutcomeUnknown where it does not: a second time would find the first in its way", async () => {
    const { machine, files, finishes } = await forgetful({ size: 0n });
    await using _ = machine;
    await expect(files.upload(source, "/f", { ifMatch: HASH })).rejects.toMatchObject({
      code: "OutcomeUnknown",
    });
    expect(finishes).toHaveLength(1);
    await expect(files.upload(source, "/f")).resolves.toMatchObject({ bytes: CONTENT.length });
  });
});

it("promise 1: an upload whose last answer was lost is OutcomeUnknown, whatever the machine says then", async () => {
  await using machine = await scriptedMachine(
    {},
    {
      write: async () => {
        throw cut();
      },
      async writeStream(requests) {
        for await (const { finish } of requests) if (finish !== undefined) break;
        throw cut();
      },
      partial: async () => {
        throw new CmdopError("KeyRevoked", "The key was revoked.");
      },
    },
  );
  const files = new Files(machine.caller);
  const large = async function* () {
    yield Buffer.alloc(600_000);
  };
  for (const source of [FILE, large()]) {
    await expect(files.upload(source, "/f")).rejects.toMatchObject({
      code: "OutcomeUnknown",
      message: expect.stringContaining("The key was revoked."),
    });
  }
});

it("a download that is done leaves no listener on a signal that lives on", async () => {
  const content = Buffer.from("content");
  await using machine = await scriptedMachine(
    {},
    {
      info: async () => ({ entry: { name: "f", path: "/f", type: FileType.FILE, size: 7n } }),
      async *readStream() {
        yield { header: { size: 7n, mode: 0o644, version: Buffer.from("v") } };
        yield { data: content };
        yield { sha256: createHash("sha256").update(content).digest() };
      },
    },
  );
  const { signal } = new AbortController();
  const files = new Files(machine.caller);
  for (let download = 0; download < 3; download += 1) {
    expect(await files.download("/f", new PassThrough().resume(), { signal })).toMatchObject({ bytes: 7 });
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

it("promise 9: an upload that a machine breaks off, for what it makes it hold, goes on from what is kept", async () => {
  const content = Buffer.alloc(600_000, "x");
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-sdk-"));
  const source = path.join(directory, "source");
  await writeFile(source, content);
  const calls: ServedCall[] = [];
  const offsets: bigint[] = [];
  let size = 0n;
  await using machine = await scriptedMachine(
    {},
    {
      async writeStream(requests) {
        for await (const { header, data, keep, finish } of requests) {
          if (header !== undefined) offsets.push(header.offset);
          size += BigInt(data.length);
          if (keep) return { kept: size };
          if (finish !== undefined) {
            return { entry: { name: "f", path: "/f", type: FileType.FILE, sha256: finish.sha256 } };
          }
          const isFirst = offsets.length === 1 && size > 0n;
          if (isFirst) calls.at(-1)?.drop(new CmdopError("LimitExceeded", "too much is held"));
        }
        throw cut();
      },
      partial: async () => ({ size }),
    },
    (call) => {
      calls.push(call);
      return { begin: () => undefined, end: () => undefined };
    },
  );
  const uploading = new Files(machine.caller).upload(source, "/f");
  await expect(uploading).resolves.toMatchObject({ bytes: content.length });
  expect(offsets[0]).toBe(0n);
  expect(offsets[1]).toBeGreaterThan(0n);
  expect(size).toBe(BigInt(content.length));
  await rm(directory, { recursive: true });
});

const NOTHING_SENT = { write: 0, append: 0, edit: 0, writeStream: 0, copy: 0, move: 0, delete: 0, mkdir: 0 };

/** Starts a machine whose connection breaks at every call, before or after the call was carried out. */
async function cutting() {
  const counts = { ...NOTHING_SENT };
  const count = (name: keyof typeof counts) => async () => {
    counts[name] += 1;
    throw cut();
  };
  const machine = await scriptedMachine(
    {},
    {
      write: count("write"),
      append: count("append"),
      edit: count("edit"),
      delete: count("delete"),
      mkdir: count("mkdir"),
      async *move() {
        counts.move += 1;
        yield { progress: { bytes: 1n } };
        throw cut();
      },
      async writeStream(requests) {
        counts.writeStream += 1;
        for await (const { finish } of requests) if (finish !== undefined) break;
        throw cut();
      },
      async *copy() {
        counts.copy += 1;
        yield { progress: { bytes: 1n } };
        throw cut();
      },
    },
  );
  return { counts, machine, files: new Files(machine.caller) };
}

describe("promise 1: a change whose reply was lost", () => {
  it("is made again where that is the same, and then is OutcomeUnknown: a whole write without a condition", async () => {
    const { counts, machine, files } = await cutting();
    await using _ = machine;
    await expect(files.write("/f", "x")).rejects.toMatchObject({ code: "OutcomeUnknown" });
    expect(counts.write).toBe(4);
  });

  it.each<[string, (files: Files) => Promise<unknown>]>([
    ["a write with ifMatch", (files) => files.write("/f", "x", { ifMatch: HASH })],
    ["a write with ifAbsent", (files) => files.write("/f", "x", { ifAbsent: true })],
    ["an append", (files) => files.write("/f", "x", { append: true, ifSize: 0 })],
    ["an edit", (files) => files.edit("/f", { old: "a", new: "b" })],
    ["a copy", (files) => files.copy("/a", "/b")],
    ["a move", (files) => files.move("/a", "/b")],
    ["a deletion", (files) => files.delete("/a")],
    ["a new directory", (files) => files.mkdir("/a")],
    ["an upload that was finished", (files) => files.write("/f", Buffer.alloc(5_000_000))],
  ])("%s is never sent twice: OutcomeUnknown", async (_title, change) => {
    const { counts, machine, files } = await cutting();
    await using _ = machine;
    await expect(change(files)).rejects.toMatchObject({ code: "OutcomeUnknown" });
    expect(Object.values(counts).reduce((sum, each) => sum + each, 0)).toBe(1);
  });

  it.each<[string, (files: Files) => Promise<unknown>]>([
    ["a hash that is none", (files) => files.write("/f", "x", { ifMatch: "abc" })],
    ["ifSize without append", (files) => files.write("/f", "x", { ifSize: 1 })],
    ["append with ifMatch", (files) => files.write("/f", "x", { append: true, ifMatch: HASH })],
    ["an upload with a hash that is none", (files) => files.upload(FILE, "/f", { ifMatch: "abc" })],
    ["a tree with ifMatch", (files) => files.upload(os.tmpdir(), "/f", { recursive: true, ifMatch: HASH })],
    [
      "an upload with ifMatch that is to overwrite nothing",
      (files) => files.upload(FILE, "/f", { overwrite: false, ifMatch: HASH }),
    ],
    ["half a byte", (files) => files.write("/f", "x", { append: true, ifSize: 0.5 })],
  ])("%s is refused before anything is sent", async (_title, change) => {
    const { counts, machine, files } = await cutting();
    await using _ = machine;
    await expect(change(files)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(counts).toEqual(NOTHING_SENT);
  });
});
