import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { onAbort } from "@cmdop/kit";
import { CmdopError } from "../errors/cmdop-error.ts";
import { MAX_MESSAGE_BYTES } from "../limits.ts";
import { codec } from "./codec.ts";
import { IncomingCall } from "./incoming-call.ts";
import { methodPath } from "./method-path.ts";
import { checkRequestBounds } from "./request-bounds.ts";
import type { RpcServer } from "./rpc-server.ts";
import type { Admit, Call, Handlers, Service } from "./types.ts";

type In = MessageShape<DescMessage>;
type Out = MessageInitShape<DescMessage>;

/**
 * Adds a service to a server. Each call is admitted first, then handed to its
 * handler. Whatever a handler throws reaches the caller as a status: a handler
 * that rejects can't leave its caller hanging.
 *
 * A handler of a response stream must end when `call.signal` aborts. A handler
 * of a request stream must not take the end of that stream for a commit: a
 * reset ends it too. Where all it gives is one answer, a message's bytes are its
 * own only until it asks for the next message.
 */
export function serve<S extends Service, Caller>(
  server: RpcServer,
  service: S,
  admit: Admit<Caller>,
  handlers: Handlers<S, Caller>,
): void {
  for (const method of service.methods) {
    const path = methodPath(service, method);
    const handler: unknown = Reflect.get(handlers, method.localName);
    if (typeof handler !== "function") throw new TypeError(`${path} has no handler`);
    const { frame } = codec(method.output);
    const { deserialize } = codec(method.input);
    const decode = (body: Buffer): In =>
      readable(path, () => {
        checkRequestBounds(method.input, body);
        return deserialize(body);
      });

    /** The gate, the handler's work, and what the gate wants to know of the end. */
    const through = async <T>(
      incoming: IncomingCall<In>,
      request: In,
      work: (context: Call<Caller>) => Promise<T>,
    ): Promise<T> => {
      const stream = incoming.signal;
      const { caller, revoked, onEnd } = await admit({
        path,
        request,
        signal: stream,
        header: (name) => incoming.header(name),
        inform: (headers) => incoming.inform(headers),
      });
      const signal = revoked === undefined ? stream : AbortSignal.any([stream, revoked]);
      try {
        const result = await unlessRevoked(
          incoming.work(() => work({ caller, signal })),
          revoked,
        );
        onEnd?.(stream.aborted ? "Canceled" : "Ok");
        return result;
      } catch (thrown) {
        onEnd?.(CmdopError.from(thrown).code);
        throw thrown;
      }
    };

    const sendAll = async (
      incoming: IncomingCall<In>,
      answers: AsyncIterable<Out>,
      signal: AbortSignal,
    ): Promise<void> => {
      for await (const message of answers) {
        if (signal.aborted) return;
        await incoming.send(frame(message));
      }
    };

    const kinds = {
      async unary(incoming: IncomingCall<In>) {
        const request = await onlyRequest(incoming, path);
        const answer = await through<Out>(incoming, request, (context) => handler(request, context));
        incoming.finish(frame(answer));
      },
      async server_streaming(incoming: IncomingCall<In>) {
        const request = await onlyRequest(incoming, path);
        await through(incoming, request, (context) =>
          sendAll(incoming, handler(request, context), context.signal),
        );
        incoming.finish();
      },
      async client_streaming(incoming: IncomingCall<In>) {
        const { first, all } = await peeked(incoming, path);
        const answer = await through<Out>(incoming, first, (context) => handler(all, context));
        incoming.finish(frame(answer));
      },
      async bidi_streaming(incoming: IncomingCall<In>) {
        const { first, all } = await peeked(incoming, path);
        await through(incoming, first, (context) => sendAll(incoming, handler(all, context), context.signal));
        incoming.finish();
      },
    };
    const answer = kinds[method.methodKind];
    const recycles = method.methodKind === "client_streaming";
    const requests = { maxBytes: MAX_MESSAGE_BYTES, decode, recycles };
    server.register(path, (stream, headers) => {
      const incoming = new IncomingCall(stream, headers, requests, server.watch);
      answer(incoming)
        .catch((thrown: unknown) => incoming.fail(CmdopError.from(thrown)))
        .finally(() => incoming.answered());
    });
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

/** The one request of a call that has no more, when it is whole. */
async function onlyRequest({ requests }: IncomingCall<In>, path: string): Promise<In> {
  const request = await requests.next();
  if (request === undefined) throw nothingAsked(path);
  if ((await requests.next()) !== undefined) {
    throw new CmdopError("InvalidArgument", `${path} takes one request, and was sent several.`);
  }
  // A reset ends the stream too: what was taken back shall not be carried out.
  if (requests.state !== "ended") throw new CmdopError("Canceled", `${path} was taken back.`);
  return request;
}

/** The request stream with its first message read ahead, for the gate to see. */
async function peeked(
  { requests }: IncomingCall<In>,
  path: string,
): Promise<{ first: In; all: AsyncIterable<In> }> {
  const first = await requests.next();
  if (first === undefined) throw nothingAsked(path);
  const all = async function* (): AsyncGenerator<In> {
    yield first;
    for (let next = await requests.next(); next !== undefined; next = await requests.next()) yield next;
  };
  return { first, all: all() };
}

function nothingAsked(path: string): CmdopError {
  return new CmdopError("InvalidArgument", `${path} ended before its first message.`);
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CmdopError) throw cause;
    throw new CmdopError("InvalidArgument", `A request of ${path} can't be read.`, { cause });
  }
}
