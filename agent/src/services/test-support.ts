import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import os from "node:os";
import path from "node:path";
import {
  type Admit,
  Channel,
  createClient,
  Exec,
  type JobEvent,
  Jobs as JobsService,
  type Outcome,
  type RpcChannel,
  RpcServer,
  type Scope,
  type ServiceClient,
  Sessions,
  serve,
  sessionChannel,
} from "@cmdop/proto";
import { listenOn } from "@cmdop/proto/testing";
import { expect, onTestFinished } from "vitest";
import { Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { execHandlers } from "./exec.ts";
import { jobsHandlers } from "./jobs.ts";
import { sessionsHandlers } from "./sessions.ts";

const KEY_HEADER = "x-test-key";

/** Clients of the services, for one key. */
export interface Clients {
  readonly exec: ServiceClient<typeof Exec>;
  readonly jobs: ServiceClient<typeof JobsService>;
  readonly sessions: ServiceClient<typeof Sessions>;
}

/**
 * Starts a jobs core and its services on a real server, until the end of the test. A key named `…+admin` has
 * that scope.
 */
export async function machine(): Promise<{ core: Jobs; as: (key: string) => Clients }> {
  const core = new Jobs();
  const server = new RpcServer();
  const admit: Admit<Caller> = async ({ header }) => {
    const [keyId = "", scope] = (header(KEY_HEADER) ?? "").split("+");
    const scopes = new Set<Scope>(scope === "admin" ? ["terminal", "admin"] : ["terminal"]);
    return { caller: { door: "local", keyId, keyName: keyId, scopes, roots: [] } };
  };
  serve(server, Exec, admit, execHandlers(core));
  serve(server, JobsService, admit, jobsHandlers(core));
  serve(server, Sessions, admit, sessionsHandlers(core));
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-services-"));
  const socketPath = path.join(directory, "socket");
  const listener = await listenOn(server, socketPath);
  const session = connectHttp2("http://machine", { createConnection: () => connect(socketPath) });
  onTestFinished(async () => {
    await core.shutdown();
    session.destroy();
    await listener[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const as = (key: string): Clients => {
    const channel = keyChannel(session, key);
    return {
      exec: createClient(Exec, () => channel),
      jobs: createClient(JobsService, () => channel),
      sessions: createClient(Sessions, () => channel),
    };
  };
  return { core, as };
}

/** Returns a channel whose calls all name the key. */
function keyChannel(session: ClientHttp2Session, key: string): RpcChannel {
  const { open } = sessionChannel(session);
  return { open: (headers, signal) => open({ ...headers, [KEY_HEADER]: key }, signal) };
}

/** Returns a Start request for one shell line. */
export function line(
  value: string,
  more: { stdinOpen?: boolean; stdin?: Uint8Array; timeoutMs?: number } = {},
) {
  return { jobId: randomUUID(), command: { case: "shell", value }, ...more } as const;
}

/** The content of a stream of events. */
export interface Seen {
  readonly events: JobEvent[];
  readonly stdout: string;
  readonly stderr: string;
  readonly outcome: Outcome | undefined;
}

/** Reads a job's events to their end. */
export async function collect(messages: AsyncIterable<{ event?: JobEvent | undefined }>): Promise<Seen> {
  const events: JobEvent[] = [];
  for await (const { event } of messages) if (event !== undefined) events.push(event);
  const text = (channel: Channel): string =>
    events
      .map(({ kind }) =>
        kind.case === "output" && kind.value.channel === channel
          ? Buffer.from(kind.value.data).toString()
          : "",
      )
      .join("");
  const last = events.at(-1)?.kind;
  return {
    events,
    stdout: text(Channel.STDOUT),
    stderr: text(Channel.STDERR),
    outcome: last?.case === "ended" ? last.value.outcome : undefined,
  };
}

/** Waits until the machine knows the job. */
export async function started(jobs: Clients["jobs"], jobId: string): Promise<void> {
  await expect.poll(async () => (await jobs.list({})).jobs.map((job) => job.jobId)).toContain(jobId);
}
