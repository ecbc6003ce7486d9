import { once } from "node:events";
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Admit,
  AGENT_ALPN,
  applyWindows,
  CmdopError,
  codec,
  connectToRelay,
  DrainingDuplex,
  Exec,
  Files,
  type Handlers,
  Jobs,
  type KeyPair,
  LANE_WINDOWS,
  Lane,
  type LaneName,
  LINK_EXPORTER,
  Link,
  OutcomeKind,
  type RelayTarget,
  RpcServer,
  serve,
  signHello,
} from "@cmdop/proto";
import { answerError } from "../data/answer.ts";

/** How a fake agent dials and what it says. */
export interface FakeAgentOptions {
  readonly relay: RelayTarget;
  readonly machineKey: KeyPair;
  readonly bootId?: string;
  readonly joinToken?: string;
  /** What it holds of an earlier time. */
  readonly holds?: {
    readonly rosterSeq?: number;
    readonly rosters?: readonly string[];
    readonly receipt?: string;
    readonly machineRecord?: string;
  };
  readonly lane?: LaneName;
  /** Answers streams with raw HTTP/2 instead of the services below. */
  readonly onStream?: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
  /** A connection to the relay that exists already. */
  readonly socket?: Socket;
  /** Signs something else than it should. */
  readonly forged?: boolean;
  /** Its audit chain, as a test tells it; without one it keeps none. Not with onStream. */
  readonly audit?: Handlers<typeof Link, undefined>["audit"];
}

/** An agent's link as the tests see it. */
export interface FakeAgent {
  readonly bootId: string;
  /** Arrived calls, with the headers that matter. */
  readonly calls: { path: string; header: (name: string) => string | undefined }[];
  /** The rosters that the relay's welcomes brought, the first one first. */
  readonly rosters: readonly string[];
  /** The receipts that they brought. */
  readonly receipts: readonly string[];
  readonly session: ServerHttp2Session;
  readonly tls: TLSSocket;
  close(): void;
}

/** Dials the relay and greets. Throws what the relay's Welcome refused it with. */
export async function dialAgent(options: FakeAgentOptions): Promise<FakeAgent> {
  const { relay, machineKey, lane = "interactive", bootId = crypto.randomUUID() } = options;
  const tls = await connectToRelay({ relay, alpn: AGENT_ALPN, socket: options.socket });
  tls.on("error", () => undefined);
  const rosters: string[] = [];
  const receipts: string[] = [];
  const welcomed = Promise.withResolvers<void>();
  welcomed.promise.catch(() => undefined);
  tls.once("close", () => welcomed.reject(new CmdopError("LinkLost", "closed before the welcome")));
  const laneNumber = { interactive: Lane.INTERACTIVE, download: Lane.DOWNLOAD, upload: Lane.UPLOAD }[lane];
  const link: Handlers<typeof Link, undefined> = {
    async hello({ nonce }) {
      const exporter = tls.exportKeyingMaterial(LINK_EXPORTER.length, LINK_EXPORTER.label, Buffer.alloc(0));
      const transcript = { nonce, exporter, bootId, lane: laneNumber };
      return {
        machineKey: Buffer.from(machineKey.publicKey, "base64url"),
        joinToken: options.joinToken ?? "",
        bootId,
        lane: laneNumber,
        signature: signHello(options.forged ? { ...transcript, bootId: "other" } : transcript, machineKey),
        agentVersion: "fake",
        rosterSeq: BigInt(options.holds?.rosterSeq ?? 0),
        receipt: options.holds?.receipt ?? "",
        machineRecord: options.holds?.machineRecord ?? "",
      };
    },
    async rosters() {
      return { rosters: [...(options.holds?.rosters ?? [])] };
    },
    async welcome({ refusedCode, refusedReason, roster, receipt }) {
      if (refusedCode === "") {
        rosters.push(roster);
        receipts.push(receipt);
        welcomed.resolve();
      } else welcomed.reject(new CmdopError("LinkRefused", refusedReason, { next: refusedCode }));
      return { rosterSeq: 0n };
    },
    audit: options.audit ?? noAudit,
  };
  const calls: FakeAgent["calls"] = [];
  const { onStream } = options;
  const served = onStream === undefined ? serveGrpc(tls, lane, link, calls) : serveRaw(tls, link, onStream);
  const { session, close } = served;
  session.on("error", () => undefined);
  try {
    await welcomed.promise;
    applyWindows(session, LANE_WINDOWS[lane].toMachine);
    return {
      bootId,
      calls,
      rosters,
      receipts,
      session,
      tls,
      close: () => {
        close();
        session.destroy();
        tls.destroy();
      },
    };
  } catch (thrown) {
    close();
    tls.destroy();
    throw thrown;
  }
}

const noAudit = (): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.reject(new CmdopError("Unimplemented", "a fake agent keeps no audit chain")),
  }),
});

function serveGrpc(
  tls: TLSSocket,
  lane: LaneName,
  link: Handlers<typeof Link, undefined>,
  calls: FakeAgent["calls"],
): { session: ServerHttp2Session; close: () => void } {
  const server = new RpcServer();
  const admit: Admit<undefined> = async ({ path, header }) => {
    calls.push({ path, header });
    return { caller: undefined };
  };
  serve(server, Link, async () => ({ caller: undefined }), link);
  serve(server, Exec, admit, exec);
  serve(server, Jobs, admit, jobs);
  serve(server, Files, admit, files);
  const session = server.accept(new DrainingDuplex(tls), LANE_WINDOWS[lane].toMachine);
  return { session, close: () => server.close() };
}

function serveRaw(
  tls: TLSSocket,
  link: Handlers<typeof Link, undefined>,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): { session: ServerHttp2Session; close: () => void } {
  const session = performServerHandshake(new DrainingDuplex(tls), {
    settings: { maxHeaderListSize: 33 * 1024 },
    maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
  });
  session.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    const path = String(headers[":path"]);
    if (path === "/cmdop.v1.Link/Hello" || path === "/cmdop.v1.Link/Welcome") {
      answerLink(stream, path, link).catch((thrown) => stream.destroy(thrown));
    } else if (path === "/cmdop.v1.Link/Audit") {
      answerError(stream, new CmdopError("Unimplemented", "it keeps no audit chain"));
    } else onStream(stream, headers);
  });
  return { session, close: () => session.close() };
}

async function answerLink(
  stream: ServerHttp2Stream,
  path: string,
  link: Handlers<typeof Link, undefined>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const body = Buffer.concat(chunks).subarray(5);
  const call = { caller: undefined, signal: new AbortController().signal };
  const { hello, welcome } = Link.method;
  const answer = path.endsWith("Hello")
    ? codec(hello.output).serialize(await link.hello(codec(hello.input).deserialize(body), call))
    : codec(welcome.output).serialize(await link.welcome(codec(welcome.input).deserialize(body), call));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frame(answer));
}

/** A gRPC message: five bytes of prefix, then the content. */
export function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const ended = { kind: OutcomeKind.EXITED, exitCode: 0 };

/** What the fake machine does is in the command: `output COUNT BYTES`, `hang`, `fail`. */
const exec: Handlers<typeof Exec, undefined> = {
  async *start({ jobId, command }, { signal }) {
    const [verb, count = 0, bytes = 0] = (command.case === "shell" ? command.value : "").split(" ");
    if (verb === "fail") {
      throw new CmdopError("PolicyDenied", "ümlaut: 100 % denied / by policy", { next: "ask" });
    }
    yield { event: { kind: { case: "started", value: { jobId } } } };
    for (let sent = 0; sent < Number(count); sent += 1) {
      if (signal.aborted) return;
      const data = Buffer.alloc(Number(bytes), sent);
      yield { event: { kind: { case: "output", value: { data } } } };
    }
    if (verb === "hang") await aborted(signal);
    yield { event: { kind: { case: "ended", value: { outcome: ended } } } };
  },
};

const jobs: Handlers<typeof Jobs, undefined> = {
  async *attach({ jobId }, { signal }) {
    yield { event: { kind: { case: "started", value: { jobId } } } };
    await aborted(signal);
  },
  async *input(requests) {
    let accepted = 0n;
    for await (const { data } of requests) {
      accepted += BigInt(data.length);
      yield { accepted };
    }
  },
  async cancel() {
    return { outcome: ended };
  },
  async signal() {
    return {};
  },
  async list() {
    return { jobs: [] };
  },
};

const files: Handlers<typeof Files, undefined> = {
  async list() {
    return { entries: [] };
  },
  async *walk() {
    yield { entries: [] };
  },
  async *search() {
    yield { summary: {} };
  },
  /** `/fail/N` fails with N characters, `/N` has N bytes. */
  async read({ path }) {
    const [, verb = "", size] = path.split("/");
    if (verb === "fail") throw new CmdopError("NotFound", "x".repeat(Number(size)));
    return { content: Buffer.alloc(Number(verb), 7), size: BigInt(verb) };
  },
  async write({ path }) {
    return { entry: { path } };
  },
  async append({ path }) {
    return { entry: { path } };
  },
  async edit({ path }) {
    return { entry: { path }, replacements: 1 };
  },
  async delete() {
    return {};
  },
  async *copy({ destination }) {
    yield { entry: { path: destination } };
  },
  async *move({ destination }) {
    yield { entry: { path: destination } };
  },
  async mkdir() {
    return {};
  },
  async partial() {
    return {};
  },
  async symlink() {
    return {};
  },
  async info({ path }) {
    return { entry: { path } };
  },
  /** `/N` streams N chunks of 64 KiB. */
  async *readStream({ path }, { signal }) {
    for (let sent = 0; sent < Number(path.slice(1)) && !signal.aborted; sent += 1) {
      yield { data: Buffer.alloc(64 * 1024, sent) };
    }
  },
  async writeStream(requests) {
    let size = 0;
    for await (const { data } of requests) size += data.length;
    return { entry: { size: BigInt(size) } };
  },
};

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
