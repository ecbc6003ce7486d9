import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, readlink, truncate, writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import {
  createClient,
  FILE_CHUNK_BYTES,
  Files,
  type FilesWriteStreamRequest,
  FileType,
  RpcServer,
  serve,
  sessionChannel,
} from "@cmdop/proto";
import { listenOn } from "@cmdop/proto/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { landmark } from "../files/place/landmark.ts";
import { collected, makeScratch, type Scratch } from "../files/place/test-support.ts";
import type { FilesProcess } from "../files-process/files-process.ts";
import { startFilesProcess } from "../files-process/test-support.ts";
import type { Caller } from "../policy/caller.ts";
import { forwardedFiles } from "./forwarded-files.ts";

let scratch: Scratch;
let work: FilesProcess;
let listener: AsyncDisposable;
let session: ClientHttp2Session;

beforeEach(async () => {
  scratch = await makeScratch();
  work = startFilesProcess(scratch);
  const server = new RpcServer();
  const caller: Caller = { door: "local", keyId: "local", keyName: "local", scopes: new Set(), roots: [] };
  serve(
    server,
    Files,
    async () => ({ caller }),
    forwardedFiles({ work, state: await landmark(scratch.stateDir), program: [], home: scratch.home }),
  );
  const socketPath = scratch.at("socket");
  listener = await listenOn(server, socketPath);
  session = connectHttp2("http://machine", { createConnection: () => connect(socketPath) });
});

afterEach(async () => {
  session.destroy();
  await listener[Symbol.asyncDispose]();
  await work.close();
  await scratch[Symbol.asyncDispose]();
});

const files = () => createClient(Files, () => sessionChannel(session));

type UploadMessage = Partial<Pick<FilesWriteStreamRequest, "data">> & {
  header?: { path: string };
  finish?: { size: bigint; sha256: Uint8Array };
};

async function* upload(...messages: UploadMessage[]): AsyncGenerator<UploadMessage> {
  yield* messages;
}

function finish(content: Uint8Array) {
  return { size: BigInt(content.length), sha256: createHash("sha256").update(content).digest() };
}

describe("Files", () => {
  it("does what each method says", async () => {
    const client = files();
    const { entry: dir } = await client.mkdir({ path: "~/d/e", parents: true, mode: 0o700 });
    expect(dir).toMatchObject({ path: `${scratch.home}/d/e`, type: FileType.DIRECTORY, mode: 0o700 });
    const { entry } = await client.write({ path: "~/d/f", content: Buffer.from("hello"), mode: 0o600 });
    expect(entry).toMatchObject({ name: "f", size: 5n, type: FileType.FILE, mode: 0o600 });
    const read = await client.read({ path: "~/d/f", offset: 1n, length: 3n });
    expect([Buffer.from(read.content).toString(), read.size]).toEqual(["ell", 5n]);
    const copied = await collected(client.copy({ source: "~/d", destination: "~/c", recursive: true }));
    expect(copied.at(-1)).toMatchObject({ entry: { name: "c" }, progress: { bytes: 5n, entries: 3n } });
    const moved = await collected(client.move({ source: "~/c/f", destination: "~/c/g" }));
    expect(moved.at(-1)).toMatchObject({ entry: { name: "g" }, progress: { bytes: 0n } });
    const { entries, nextPage } = await client.list({ path: "~/c", pageSize: 1 });
    expect([entries.map(({ name }) => name), nextPage !== ""]).toEqual([["e"], true]);
    const rest = await client.list({ path: "~/c", pageSize: 1, page: nextPage });
    expect([rest.entries.map(({ name }) => name), rest.nextPage]).toEqual([["g"], ""]);
    await client.delete({ path: "~/d", recursive: true });
    await expect(client.info({ path: "~/d" })).rejects.toMatchObject({ code: "NotFound" });
    expect((await client.info({ path: "~" })).entry).toMatchObject({ path: scratch.home });
  });

  it("tells of a name that is not UTF-8 by its bytes, which can be given back", async () => {
    const raw = Buffer.from([0x62, 0xff]);
    await writeFile(Buffer.concat([Buffer.from(`${scratch.home}/`), raw]), "");
    const { entries } = await files().list({ path: "~" });
    expect(entries.map(({ name, path }) => [name, path])).toEqual([["b\\xFF", `${scratch.home}/b\\xFF`]]);
    expect((await files().info({ path: "~/b\\xff" })).entry).toMatchObject({ name: "b\\xFF" });
  });

  it("streams a large file both ways", async () => {
    const content = randomBytes(FILE_CHUNK_BYTES * 5 + 3);
    const pieces: UploadMessage[] = [{ header: { path: "~/large" } }];
    for (let at = 0; at < content.length; at += FILE_CHUNK_BYTES) {
      pieces.push({ data: content.subarray(at, at + FILE_CHUNK_BYTES) });
    }
    await files().writeStream(upload(...pieces, { finish: finish(content) }));
    const received: Uint8Array[] = [];
    for await (const { data } of files().readStream({ path: "~/large" })) received.push(data);
    expect(Buffer.concat(received).equals(content)).toBe(true);
  });

  it("commits an upload of one single message", async () => {
    const data = Buffer.from("all at once");
    await files().writeStream(upload({ header: { path: "~/f" }, data, finish: finish(data) }));
    expect(await readFile(`${scratch.home}/f`, "utf8")).toBe("all at once");
  });

  it("commits nothing when the stream ends, is reset, or breaks the rules", async () => {
    const path = "~/f";
    await scratch.file("home/f", "old");
    const data = Buffer.alloc(100_000);
    const ended = files().writeStream(upload({ header: { path } }, { data }));
    await expect(ended).rejects.toMatchObject({ code: "FileChanged" });
    const second = files().writeStream(
      upload({ header: { path } }, { header: { path }, finish: finish(data) }),
    );
    await expect(second).rejects.toMatchObject({ code: "InvalidArgument" });
    const headless = files().writeStream(upload({ data, finish: finish(data) }));
    await expect(headless).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(files().writeStream(upload())).rejects.toMatchObject({ code: "InvalidArgument" });

    const controller = new AbortController();
    const endless = async function* (): AsyncGenerator<UploadMessage> {
      yield { header: { path } };
      for (;;) {
        yield { data };
        // The caller leaves as soon as the content arrives at the machine.
        if ((await readdir(scratch.home)).some((name) => name.startsWith(".cmdop-tmp-"))) controller.abort();
      }
    };
    const reset = files().writeStream(endless(), { signal: controller.signal });
    await expect(reset).rejects.toMatchObject({ code: "Canceled" });
    await expect.poll(() => readdir(scratch.home)).toEqual([".cmdop", "f"]);
    expect(await readFile(`${scratch.home}/f`, "utf8")).toBe("old");
  });

  it("lets go of a file when its reader leaves in the middle", async () => {
    const file = await scratch.file("home/large");
    await truncate(file, FILE_CHUNK_BYTES * 400);
    const holders = async () => {
      const descriptors = await readdir(`/proc/${work.pid}/fd`);
      const paths = await Promise.all(
        descriptors.map((each) => readlink(`/proc/${work.pid}/fd/${each}`).catch(() => undefined)),
      );
      return paths.filter((path) => path === file).length;
    };
    for await (const { data } of files().readStream({ path: "~/large" })) {
      expect(data).toHaveLength(FILE_CHUNK_BYTES);
      expect(await holders()).toBeGreaterThan(0);
      break;
    }
    await expect.poll(holders).toBe(0);
  });
});
