import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, type ServerHttp2Stream } from "node:http2";
import os from "node:os";
import path from "node:path";
import { codec, Files as FilesService, HEADERS, RpcServer } from "@cmdop/proto";
import { listenOn } from "@cmdop/proto/testing";
import { describe, expect, it } from "vitest";
import { Files } from "../files/files.ts";
import { Terminal } from "../terminal/terminal.ts";
import { MachineCaller } from "./caller.ts";
import { localTransport } from "./transport.ts";

type Answer = (stream: ServerHttp2Stream) => void;

/** A machine that answers methods with streams of HTTP/2 as the test says, and what it was asked. */
async function rawMachine(answers: Readonly<Record<string, Answer>>) {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-sdk-"));
  const socketPath = path.join(directory, "socket");
  const asked: string[] = [];
  const server = new RpcServer();
  for (const [method, answer] of Object.entries(answers)) {
    server.register(`/cmdop.v1.${method}`, (stream) => {
      asked.push(method);
      // Only when the request is whole: the machine may have carried it out.
      stream.on("error", () => undefined).on("end", () => answer(stream));
      stream.resume();
    });
  }
  const listener = await listenOn(server, socketPath);
  const transport = localTransport(socketPath, { firstPauseMs: 1, maxPauseMs: 2 });
  const caller = new MachineCaller(transport, async () => null);
  return {
    ...{ asked, directory, caller },
    files: new Files(caller),
    terminal: new Terminal(caller),
    async [Symbol.asyncDispose]() {
      transport.close();
      await listener[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;
const dropped: Answer = (stream) => stream.close(CALM);
const connectionEnded: Answer = (stream) => stream.session?.goaway(CALM);

describe("promise 1: a call that was broken off as too much", () => {
  it.each([
    ["alone", dropped],
    ["with its connection", connectionEnded],
  ])("%s is OutcomeUnknown where it may not be repeated", async (_how, answer) => {
    await using machine = await rawMachine({ "Files/Delete": answer });
    await expect(machine.files.delete("/a")).rejects.toMatchObject({ code: "OutcomeUnknown" });
    expect(machine.asked).toEqual(["Files/Delete"]);
  });

  it.each([
    ["alone", dropped, "LimitExceeded"],
    ["with its connection", connectionEnded, "LinkLost"],
  ])("%s is repeated where that is safe, and then says why", async (_how, answer, code) => {
    await using machine = await rawMachine({ "Files/Info": answer });
    await expect(machine.files.info("/a")).rejects.toMatchObject({ code });
    expect(machine.asked.length).toBeGreaterThan(1);
  });

  it("is sent again with the same id where it started a command, whose end is unknown at last", async () => {
    await using machine = await rawMachine({ "Exec/Start": dropped });
    const ended = await machine.terminal.execute("x", { reconnectWindowMs: 1 });
    expect(ended).toMatchObject({ outcome: "unknown", exitCode: null });
  });

  it("is OutcomeUnknown where it was to finish an upload", async () => {
    await using machine = await rawMachine({ "Files/WriteStream": dropped });
    await expect(machine.files.write("/f", Buffer.alloc(5_000_000))).rejects.toMatchObject({
      code: "OutcomeUnknown",
    });
    expect(machine.asked).toEqual(["Files/WriteStream"]);
  });

  it("is OutcomeUnknown where it was to finish a resumable one under a condition", async () => {
    await using machine = await rawMachine({
      "Files/WriteStream": dropped,
      "Files/Partial": (stream) => {
        stream.respond(
          { ":status": 200, "content-type": "application/grpc+proto" },
          { waitForTrailers: true },
        );
        stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.concat(codec(FilesService.method.partial.output).frame({ size: 0n })));
      },
    });
    const source = path.join(machine.directory, "source");
    await writeFile(source, "new");
    const uploading = machine.files.upload(source, "/f", { ifMatch: "ab".repeat(32) });
    await expect(uploading).rejects.toMatchObject({ code: "OutcomeUnknown" });
  });
});

describe("what the caller's own onWaiting throws", () => {
  const waiting: Answer = (stream) => {
    const told = `${crypto.randomUUID()} ${Date.now()}`;
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto", [HEADERS.waiting]: told });
  };
  const onWaiting = (): never => {
    throw new RangeError("the listener broke");
  };

  it.each([
    ["a command", (terminal: Terminal) => terminal.execute("x", { onWaiting })],
    ["a session", (terminal: Terminal) => terminal.create({ onWaiting })],
  ])("is what starting %s ends with", async (_what, start) => {
    await using machine = await rawMachine({ "Exec/Start": waiting, "Sessions/Create": waiting });
    await expect(start(machine.terminal)).rejects.toThrow(new RangeError("the listener broke"));
    expect(machine.asked).toHaveLength(1);
  });
});
