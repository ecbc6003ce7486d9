import { once } from "node:events";

import { CmdopError } from "../errors/cmdop-error.ts";
import { Files } from "../gen/cmdop/v1/files_pb.ts";
import { Channel } from "../gen/cmdop/v1/job_pb.ts";
import { Jobs } from "../gen/cmdop/v1/jobs_pb.ts";
import { createClient } from "../rpc/client.ts";
import { RpcServer } from "../rpc/rpc-server.ts";
import type { WatchCall } from "../rpc/served-call.ts";
import { serve } from "../rpc/server.ts";
import type { Admit, Handlers } from "../rpc/types.ts";
import { rpcLoopback } from "./loopback.ts";

/** Who calls, in these tests. */
export interface Caller {
  readonly name: string;
}

/** A handler that a test does not expect to run. */
export const unused = (): never => {
  throw new CmdopError("Unimplemented", "not in this test");
};

/** A gate that lets everyone in, under the name of the machine that they ask for. */
export const admitAnyone: Admit<Caller> = async ({ header }) => ({
  caller: { name: header("x-cmdop-machine") ?? "nobody" },
});

/** A real server and its two clients, with only the handlers that a test is about: one service for three kinds of call, one for the fourth. */
export async function started(
  jobs: Partial<Handlers<typeof Jobs, Caller>>,
  files: Partial<Handlers<typeof Files, Caller>> = {},
  admit: Admit<Caller> = admitAnyone,
  watch?: WatchCall,
) {
  const server = new RpcServer(watch);
  serve(server, Jobs, admit, {
    attach: unused,
    input: unused,
    cancel: unused,
    signal: unused,
    list: unused,
    ...jobs,
  });
  serve(server, Files, admit, {
    list: unused,
    walk: unused,
    search: unused,
    read: unused,
    write: unused,
    append: unused,
    edit: unused,
    delete: unused,
    copy: unused,
    move: unused,
    mkdir: unused,
    info: unused,
    readStream: unused,
    writeStream: unused,
    partial: unused,
    symlink: unused,
    ...files,
  });
  const loopback = await rpcLoopback(server);
  return {
    channel: loopback.channel,
    jobs: createClient(Jobs, () => loopback.channel),
    files: createClient(Files, () => loopback.channel),
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
}

/** An output event of so many bytes. */
export const output = (offset: number, bytes: number) => ({
  event: {
    offset: BigInt(offset),
    kind: { case: "output" as const, value: { channel: Channel.STDOUT, data: new Uint8Array(bytes) } },
  },
});

/** The CmdopError that a call fails with. */
export const failure = (promise: Promise<unknown>): Promise<CmdopError> =>
  promise.then(
    () => Promise.reject(new Error("it did not fail")),
    (thrown: unknown) => (thrown instanceof CmdopError ? thrown : Promise.reject(thrown)),
  );

/** All items of a stream. */
export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Resolves when the signal has aborted. */
export const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : once(signal, "abort");

/** The same message for ever, a turn of the event loop apart. */
export async function* repeated<T>(message: T): AsyncGenerator<T> {
  for (;;) {
    yield message;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The clients of a started server. */
export type Clients = Awaited<ReturnType<typeof started>>;
