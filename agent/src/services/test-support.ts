import { randomUUID } from "node:crypto";
import {
  type Admit,
  Channel,
  createClient,
  Exec,
  type JobEvent,
  Jobs as JobsService,
  type Outcome,
  type Scope,
  type ServiceClient,
  Sessions,
  serve,
} from "@cmdop/proto";
import { Client, credentials, InterceptingCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { expect, onTestFinished } from "vitest";
import { Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { execHandlers } from "./exec.ts";
import { jobsHandlers } from "./jobs.ts";
import { sessionsHandlers } from "./sessions.ts";

const KEY_HEADER = "x-test-key";

/** The services as one key calls them. */
export interface Clients {
  readonly exec: ServiceClient<typeof Exec>;
  readonly jobs: ServiceClient<typeof JobsService>;
  readonly sessions: ServiceClient<typeof Sessions>;
}

/** A jobs core and its services on a real server, until the end of the test. A key that is named `…+admin` has that scope. */
export async function machine(): Promise<{ core: Jobs; as: (key: string) => Clients }> {
  const core = new Jobs();
  const server = new Server();
  const admit: Admit<Caller> = async ({ header }) => {
    const [keyId = "", scope] = (header(KEY_HEADER) ?? "").split("+");
    const scopes = new Set<Scope>(scope === "admin" ? ["terminal", "admin"] : ["terminal"]);
    return { caller: { door: "local", keyId, keyName: keyId, scopes, roots: [] } };
  };
  serve(server, Exec, admit, execHandlers(core));
  serve(server, JobsService, admit, jobsHandlers(core));
  serve(server, Sessions, admit, sessionsHandlers(core));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const channels: Client[] = [];
  onTestFinished(async () => {
    await core.shutdown();
    for (const channel of channels) channel.close();
    server.forceShutdown();
  });
  const as = (key: string): Clients => {
    const channel = channelOf(port, key);
    channels.push(channel);
    return {
      exec: createClient(Exec, () => channel),
      jobs: createClient(JobsService, () => channel),
      sessions: createClient(Sessions, () => channel),
    };
  };
  return { core, as };
}

/** A channel whose every call names the key. */
function channelOf(port: number, key: string): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    interceptors: [
      (options, nextCall) =>
        new InterceptingCall(nextCall(options), {
          start(metadata, listener, next) {
            metadata.set(KEY_HEADER, key);
            next(metadata, listener);
          },
        }),
    ],
  });
}

/** A Start request for one shell line. */
export function line(
  value: string,
  more: { stdinOpen?: boolean; stdin?: Uint8Array; timeoutMs?: number } = {},
) {
  return { jobId: randomUUID(), command: { case: "shell", value }, ...more } as const;
}

/** What a stream of events brought. */
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
