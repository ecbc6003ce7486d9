import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  Channel,
  CmdopError,
  Exec,
  Files,
  type Handlers,
  Jobs,
  OutcomeKind,
  RpcServer,
  Sessions,
  serve,
  type WatchCall,
} from "@cmdop/proto";
import { listenOn } from "@cmdop/proto/testing";
import { MachineCaller } from "../connection/caller.ts";
import { localTransport, type Transport } from "../connection/transport.ts";

/** Answers of a machine. The test must not call methods without one. */
export type Script = Partial<
  Handlers<typeof Exec, null> & Handlers<typeof Jobs, null> & Handlers<typeof Sessions, null>
>;

/** A machine with scripted answers, behind a real gRPC server on a unix socket, and a caller of it. */
export interface ScriptedMachine extends AsyncDisposable {
  readonly caller: MachineCaller;
  readonly transport: Transport;
}

const unused = (): never => {
  throw new CmdopError("Unimplemented", "not in this test");
};

/** Starts a scripted machine. Pauses between reconnects are short. */
export async function scriptedMachine(
  script: Script,
  files: Partial<Handlers<typeof Files, null>> = {},
  watch?: WatchCall,
): Promise<ScriptedMachine> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-sdk-"));
  const socketPath = path.join(directory, "socket");
  const server = new RpcServer(watch);
  const admit = async () => ({ caller: null });
  const rest = { attach: unused, input: unused, cancel: unused, signal: unused, list: unused };
  serve(server, Exec, admit, { start: unused, ...script });
  serve(server, Jobs, admit, { ...rest, ...script });
  serve(server, Sessions, admit, {
    create: unused,
    resize: unused,
    screen: unused,
    history: unused,
    ...script,
  });
  serve(server, Files, admit, {
    ...{ list: unused, walk: unused, search: unused, read: unused, readStream: unused, info: unused },
    ...{ write: unused, writeStream: unused, append: unused, edit: unused, mkdir: unused },
    ...{ copy: unused, move: unused, delete: unused, partial: unused, symlink: unused },
    ...files,
  });
  const listener = await listenOn(server, socketPath);
  const transport = localTransport(socketPath, { firstPauseMs: 1, maxPauseMs: 2 });
  return {
    transport,
    caller: new MachineCaller(transport, async () => null),
    async [Symbol.asyncDispose]() {
      transport.close();
      await listener[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

/** Makes the error that a caller gets for a lost connection. */
export function cut(): CmdopError {
  return new CmdopError("LinkLost", "The line was cut.");
}

/** Makes the event that a job runs. */
export const started = (jobId: string, outputEnd = 0n) => ({
  event: { offset: 0n, kind: { case: "started" as const, value: { jobId, pid: 7, outputEnd } } },
});

/** Makes an event of output. */
export const output = (offset: number, text: string) => ({
  event: {
    offset: BigInt(offset),
    kind: { case: "output" as const, value: { channel: Channel.STDOUT, data: Buffer.from(text) } },
  },
});

/** Makes the event that output was dropped. */
export const dropped = (offset: number, bytes: number) => ({
  event: { offset: BigInt(offset), kind: { case: "dropped" as const, value: { bytes: BigInt(bytes) } } },
});

/** Makes the event that a job exited. */
export const ended = (offset: number, exitCode = 0) => ({
  event: {
    offset: BigInt(offset),
    kind: { case: "ended" as const, value: { outcome: { kind: OutcomeKind.EXITED, exitCode } } },
  },
});
