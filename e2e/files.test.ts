import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { useDoors } from "./support/doors.ts";

/** Beyond what one message carries, so that the streams are used. */
const BIG_BYTES = 20 * 1024 * 1024;

const doors = useDoors();

/** What this process has read in all, sockets among it. */
async function carried(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe.each(["relay", "local"] as const)("files through the %s door", (door) => {
  const files = () => doors.client(door).files;
  let directory: string;
  beforeAll(async () => {
    directory = path.join(doors.cluster().directory, `files-${door}`);
    await mkdir(directory);
  });
  const at = (name: string) => path.join(directory, name);

  it("writes, reads, lists and describes", async () => {
    const written = await files().write(at("a.txt"), "hello");
    expect(written).toMatchObject({ name: "a.txt", path: at("a.txt"), type: "file", size: 5 });
    expect(await files().readText(at("a.txt"))).toBe("hello");
    expect(Buffer.from(await files().read(at("a.txt"), { offset: 1, length: 3 })).toString()).toBe("ell");
    await writeFile(at(".hidden"), "");
    const names = async (hidden: boolean) =>
      (await files().list(directory, { hidden })).entries.map(({ name }) => name);
    expect(await names(true)).toEqual([".hidden", "a.txt"]);
    expect(await names(false)).toEqual(["a.txt"]);
    expect(await files().info(at("a.txt"))).toMatchObject({ type: "file", size: 5 });
  });

  it("makes, copies, moves and deletes", async () => {
    await files().mkdir(at("deep/er"), { parents: true });
    await files().write(at("deep/er/one"), new Uint8Array([1, 2, 3]));
    const seen: number[] = [];
    const onProgress = ({ bytes }: { bytes: number }) => seen.push(bytes);
    await files().copy(at("deep"), at("copy"), { recursive: true, onProgress });
    expect(seen.at(-1)).toBe(3);
    await expect(files().copy(at("deep"), at("copy"), { recursive: true })).rejects.toMatchObject({
      code: "AlreadyExists",
    });
    await files().move(at("copy/er/one"), at("moved"));
    expect([...(await files().read(at("moved")))]).toEqual([1, 2, 3]);
    await expect(files().delete(at("deep"))).rejects.toMatchObject({ code: "DirectoryNotEmpty" });
    await files().delete(at("deep"), { recursive: true });
    await expect(files().info(at("deep"))).rejects.toMatchObject({ code: "NotFound" });
  });

  it("pages a long directory", async () => {
    await mkdir(at("many"));
    await Promise.all(
      Array.from({ length: 25 }, (_, index) => writeFile(at(`many/f${String(index).padStart(2, "0")}`), "")),
    );
    const seen: string[] = [];
    let page: string | undefined;
    do {
      const answer = await files().list(at("many"), { pageSize: 10, page });
      seen.push(...answer.entries.map(({ name }) => name));
      page = answer.nextPage;
    } while (page !== undefined);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `f${String(index).padStart(2, "0")}`));
  });

  it("carries files beyond one message, both ways, whole", async () => {
    const content = Buffer.alloc(BIG_BYTES, "0123456789abcdefg");
    await files().write(at("big"), content);
    const back = await files().read(at("big"));
    const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    expect(digest(back)).toBe(digest(content));
  });

  it("refuses to hold a sparse file of 10 GB before it has read any of it, and reads its ends", async () => {
    await writeFile(at("sparse"), "begin");
    await truncate(at("sparse"), 10_000_000_000);
    await files().write(at("sparse"), "end", { append: true, ifSize: 10_000_000_000 });
    const before = await carried();
    await expect(files().read(at("sparse"))).rejects.toMatchObject({ code: "MessageTooLarge" });
    expect((await carried()) - before).toBeLessThan(10_000_000);
    expect((await files().info(at("sparse"))).size).toBe(10_000_000_003);
    expect(await files().readText(at("sparse"), { offset: 10_000_000_000 })).toBe("end");
    expect(await files().readText(at("sparse"), { length: 5 })).toBe("begin");
  });

  it("compares and swaps: of two writers with one hash exactly one wins, whichever way they write", async () => {
    const { sha256: ifMatch } = await files().write(at("swap"), "first", { ifAbsent: true });
    await expect(files().write(at("swap"), "again", { ifAbsent: true })).rejects.toMatchObject({
      code: "AlreadyExists",
    });
    expect((await files().info(at("swap"), { hash: true })).sha256).toBe(ifMatch);
    const source = async function* () {
      yield "second, as a stream";
    };
    const writers = [
      files().write(at("swap"), "second", { ifMatch }),
      files().write(at("swap"), source(), { ifMatch }),
      files().edit(at("swap"), { old: "first", new: "second", ifMatch }),
    ];
    const results = await Promise.allSettled(writers);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "FileChanged" });
    }
    expect(await files().readText(at("swap"))).toMatch(/^second/);
    await expect(files().write(at("swap"), "x", { ifMatch: "abc" })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });

  it.each([1_000, BIG_BYTES])("uploads %i bytes in place of one content and no other", async (bytes) => {
    const { sha256: ifMatch } = await files().write(at("swap"), "first");
    await writeFile(at("next"), Buffer.alloc(bytes, "next"));
    const upload = () => files().upload(at("next"), at("swap"), { ifMatch });
    const results = await Promise.allSettled([upload(), upload()]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const result of [...results, ...(await Promise.allSettled([upload()]))]) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "FileChanged" });
    }
    const { size, sha256 } = await files().info(at("swap"), { hash: true });
    expect(size).toBe(bytes);
    await files().write(at("back"), "first");
    await files().transfer(at("back"), files(), at("swap"), { ifMatch: sha256 });
    expect(await files().readText(at("swap"))).toBe("first");
    await expect(files().upload(at("next"), at("none"), { ifMatch })).rejects.toMatchObject({
      code: "FileChanged",
    });
  });

  it("edits exact text, and says how often it is there when that is not once", async () => {
    await files().write(at("edit"), "a = 1\nb = 1\n");
    await expect(files().edit(at("edit"), { old: " = 1", new: " = 2" })).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("2 times"),
    });
    expect(await files().edit(at("edit"), { old: "b = 1", new: "b = 2" })).toMatchObject({ replacements: 1 });
    expect(await files().edit(at("edit"), { old: " = ", new: "=", all: true })).toMatchObject({
      replacements: 2,
    });
    expect(await files().readText(at("edit"))).toBe("a=1\nb=2\n");
  });

  it("appends, from a web stream and with a size too", async () => {
    await files().write(at("new/log"), "one\n", { append: true, parents: true });
    const stream = new ReadableStream<string>({
      start(controller) {
        for (const line of ["two\n", "three\n"]) controller.enqueue(line);
        controller.close();
      },
    });
    const { size } = await files().write(at("new/log"), stream, { append: true, ifSize: 4 });
    expect(size).toBe(14);
    await expect(files().write(at("new/log"), "x", { append: true, ifSize: 4 })).rejects.toMatchObject({
      code: "FileChanged",
    });
    expect(await files().readText(at("new/log"))).toBe("one\ntwo\nthree\n");
  });

  it("walks a tree and searches it, names and contents", async () => {
    await files().write(at("tree/src/a.ts"), "const port = 80;\n// the end\n", { parents: true });
    await files().write(at("tree/src/deep/b.ts"), "import port\n", { parents: true });
    await files().write(at("tree/node_modules/c.ts"), "port", { parents: true });
    await files().write(at("tree/image"), new Uint8Array([0, 1, 2]));
    const walked = await collected(files().walk(at("tree"), { exclude: "node_modules" }));
    expect(walked.map(({ path: each }) => path.relative(at("tree"), each)).sort()).toEqual([
      "image",
      "src",
      "src/a.ts",
      "src/deep",
      "src/deep/b.ts",
    ]);
    const flat = await collected(files().walk(at("tree"), { depth: 1, name: ["s*", "i*"] }));
    expect(flat.map(({ name, type }) => `${name} ${type}`).sort()).toEqual(["image file", "src directory"]);

    const events = await collected(
      files().search(at("tree"), { content: /PORT( = \d+)?/i, exclude: ["node_modules"], contextLines: 1 }),
    );
    const matches = events.flatMap((event) => (event.type === "match" ? [event] : []));
    expect(matches.map(({ text }) => text).sort()).toEqual(["const port = 80;", "import port"]);
    expect(matches.find(({ path: each }) => each === at("tree/src/a.ts"))).toMatchObject({
      line: 1,
      column: 6,
      length: 9,
      before: [],
      after: ["// the end"],
    });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "skipped", path: at("tree/image"), reason: "binary" }),
    );
    expect(events.at(-1)).toEqual({ type: "ended", files: 3, results: 2, limited: false });
    const named = await collected(files().search(at("tree"), { name: "src/**/*.ts" }));
    expect(named.map((event) => (event.type === "file" ? event.file.name : event.type)).sort()).toEqual([
      "a.ts",
      "b.ts",
      "ended",
    ]);
    const plain = await collected(files().search(at("tree/src/a.ts"), { content: "= 80;" }));
    expect(plain.map(({ type }) => type)).toEqual(["match", "ended"]);
    const tooMany = files().search(at("tree"), { name: `{${"a,".repeat(100)}}` });
    await expect(collected(tooMany)).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("an upload whose source fails commits nothing and leaves nothing", async () => {
    await files().write(at("kept"), "old");
    const before = await readdir(directory);
    const failing = async function* () {
      yield Buffer.alloc(1024 * 1024, "new");
      throw new Error("the source broke");
    };
    await expect(files().write(at("kept"), failing())).rejects.toThrow("the source broke");
    expect(await files().readText(at("kept"))).toBe("old");
    await expect.poll(() => readdir(directory)).toEqual(before);
  });

  it("downloads into no device, FIFO or directory of this computer, and says which computer is meant", async () => {
    await files().write(at("source"), "content");
    execFileSync("mkfifo", [at("fifo")]);
    for (const [to, code] of [
      [at("fifo"), "NotAFile"],
      [directory, "IsADirectory"],
      [at("x".repeat(256)), "InvalidArgument"],
      [at("missing/f"), "NotFound"],
      [at("source/f"), "NotADirectory"],
    ] as const) {
      await expect(files().download(at("source"), to)).rejects.toMatchObject({ code });
    }
    expect((await lstat(at("fifo"))).isFIFO()).toBe(true);
    const missing = files().upload(at("missing"), at("to"));
    await expect(missing).rejects.toMatchObject({
      code: "NotFound",
      next: expect.stringContaining("this computer"),
    });
  });

  it("never touches the agent's own state, by any way to write its path", async () => {
    const state = path.join(doors.machine().home, "agent");
    await symlink(state, at("way-in"));
    for (const file of [
      path.join(state, "machine.key"),
      at("way-in/machine.key"),
      `${state}/../agent/machine.key`,
    ]) {
      await expect(files().read(file)).rejects.toMatchObject({ code: "PolicyDenied" });
      await expect(files().write(file, "x")).rejects.toMatchObject({ code: "PolicyDenied" });
    }
    await expect(files().delete(doors.machine().home, { recursive: true })).rejects.toMatchObject({
      code: "PolicyDenied",
    });
  });

  it.each([
    ["a missing file", () => files().read(at("nothing")), "NotFound"],
    ["a directory as a file", () => files().read(directory), "IsADirectory"],
    ["a file as a directory", () => files().list(at("a.txt")), "NotADirectory"],
    ["a relative path", () => files().read("a.txt"), "InvalidArgument"],
    ["the root", () => files().delete("/", { recursive: true }), "PolicyDenied"],
  ])("refuses %s", async (_title, call, code) => {
    await expect(call()).rejects.toMatchObject({ code });
  });
});
