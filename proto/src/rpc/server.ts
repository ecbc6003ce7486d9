import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  logVerbosity,
  type Metadata,
  type Server,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { onAbort } from "../abort.ts";
import { CmdopError } from "../errors/cmdop-error.ts";
import { toStatus } from "../errors/wire.ts";
import { codec } from "./codec.ts";
import { drained } from "./drained.ts";
import { headerOf, metadataOf } from "./metadata.ts";
import { methodPath } from "./method-path.ts";
import type { Admit, Call, Handlers, Service } from "./types.ts";

type In = MessageShape<DescMessage>;
type Out = MessageInitShape<DescMessage>;

/** What all four kinds of grpc-js calls have in common, as far as it is used here. */
interface AnyCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  sendMetadata(metadata: Metadata): void;
  once(event: "cancelled", listener: () => void): unknown;
}

/**
 * Adds a service to a grpc-js server. Each call is admitted first, then handed
 * to its handler. Whatever a handler throws reaches the caller as a status: a
 * handler that rejects can't leave its caller hanging.
 *
 * A handler of a response stream must end when `call.signal` aborts. A handler
 * of a request stream must not take the end of that stream for a commit: a
 * reset looks the same (HTTP/2 has no other way to say it).
 */
export function serve<S extends Service, Caller>(
  server: Server,
  service: S,
  admit: Admit<Caller>,
  handlers: Handlers<S, Caller>,
): void {
  // What callers send would otherwise be written to stderr, byte for byte, where it is no proper header.
  setLogVerbosity(logVerbosity.NONE);
  for (const method of service.methods) {
    const path = methodPath(service, method);
    const handler: unknown = Reflect.get(handlers, method.localName);
    if (typeof handler !== "function") throw new TypeError(`${path} has no handler`);

    /** The gate, the handler's work, and what the gate wants to know of the end. */
    const through = async <T>(
      call: AnyCall,
      request: In,
      stream: AbortSignal,
      work: (context: Call<Caller>) => Promise<T>,
    ): Promise<T> => {
      const { caller, revoked, onEnd } = await admit({
        path,
        request,
        signal: stream,
        header: (name) => headerOf(call.metadata, name),
        inform: (headers) => call.sendMetadata(metadataOf(headers)),
      });
      const signal = revoked === undefined ? stream : AbortSignal.any([stream, revoked]);
      try {
        const result = await unlessRevoked(work({ caller, signal }), revoked);
        onEnd?.(stream.aborted ? "Canceled" : "Ok");
        return result;
      } catch (thrown) {
        onEnd?.(CmdopError.from(thrown).code);
        throw thrown;
      }
    };

    const unary = (call: ServerUnaryCall<In, Out>, reply: sendUnaryData<Out>): void => {
      through<Out>(call, call.request, signalOf(call), (context) => handler(call.request, context)).then(
        (message) => reply(null, message),
        (thrown) => reply(toStatus(thrown)),
      );
    };

    const serverStreaming = (call: ServerWritableStream<In, Out>): void => {
      through(call, call.request, signalOf(call), (context) =>
        writeAll(call, handler(call.request, context), context.signal),
      ).then(
        () => call.end(),
        (thrown) => call.emit("error", toStatus(thrown)),
      );
    };

    const clientStreaming = (call: ServerReadableStream<In, Out>, reply: sendUnaryData<Out>): void => {
      const signal = signalOf(call);
      const run = async (): Promise<Out> => {
        const { first, all } = await peeked(call, path);
        return through<Out>(call, first, signal, (context) => handler(all, context));
      };
      run().then(
        (message) => reply(null, message),
        (thrown) => reply(toStatus(thrown)),
      );
    };

    const bidiStreaming = (call: ServerDuplexStream<In, Out>): void => {
      const signal = signalOf(call);
      const run = async (): Promise<void> => {
        const { first, all } = await peeked(call, path);
        await through(call, first, signal, (context) =>
          writeAll(call, handler(all, context), context.signal),
        );
      };
      run().then(
        () => call.end(),
        (thrown) => call.emit("error", toStatus(thrown)),
      );
    };

    const { serialize } = codec(method.output);
    const { deserialize } = codec(method.input);
    const register = {
      unary,
      server_streaming: serverStreaming,
      client_streaming: clientStreaming,
      bidi_streaming: bidiStreaming,
    };
    server.register(
      path,
      register[method.methodKind],
      serialize,
      deserialize,
      GRPC_JS_KIND[method.methodKind],
    );
  }
}

const GRPC_JS_KIND = {
  unary: "unary",
  server_streaming: "serverStream",
  client_streaming: "clientStream",
  bidi_streaming: "bidi",
} as const;

function signalOf(call: AnyCall): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  call.once("cancelled", () => controller.abort());
  return controller.signal;
}

type ResponseStream = ServerWritableStream<In, Out> | ServerDuplexStream<In, Out>;

async function writeAll(
  call: ResponseStream,
  messages: AsyncIterable<Out>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages) {
    if (signal.aborted) return;
    if (!call.write(message)) await drained(call, signal);
  }
}

/** The work's result, or the reason of the revocation that came first; the handler hears of it by its signal. */
async function unlessRevoked<T>(work: Promise<T>, revoked: AbortSignal | undefined): Promise<T> {
  if (revoked === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stopListening = onAbort(revoked, () => reject(CmdopError.from(revoked.reason)));
  try {
    return await Promise.race([work, promise]);
  } finally {
    stopListening();
  }
}

/** The request stream with its first message read ahead, for the gate to see. */
async function peeked(
  call: ServerReadableStream<In, Out> | ServerDuplexStream<In, Out>,
  path: string,
): Promise<{ first: In; all: AsyncIterable<In> }> {
  // Destroying a duplex would also take its status away from the caller.
  const iterator: AsyncIterator<In> = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  const head = await iterator.next();
  if (head.done) throw new CmdopError("InvalidArgument", `${path} ended before its first message.`);
  const all = async function* (): AsyncGenerator<In> {
    yield head.value;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return { first: head.value, all: all() };
}
