import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Client, ClientDuplexStream, ClientWritableStream, Metadata } from "@grpc/grpc-js";
import { onAbort } from "../abort.ts";
import { fromServiceError, isServiceError } from "../errors/wire.ts";
import { codec } from "./codec.ts";
import { drained } from "./drained.ts";
import { headerOf, metadataOf } from "./metadata.ts";
import { methodPath } from "./method-path.ts";
import type { CallOptions, Service, ServiceClient } from "./types.ts";

type In = MessageInitShape<DescMessage>;
type Out = MessageShape<DescMessage>;

/** The channel that carries a method, by its path on the wire: lanes have channels of their own. */
export type ChannelOf = (path: string) => Client;

/** What all four kinds of grpc-js calls have in common, as far as it is used here. */
interface ClientCall {
  cancel(): void;
  once(event: "metadata", listener: (metadata: Metadata) => void): unknown;
}

/** The calls of one method, whatever its kind; `createClient` picks the one that fits. */
type Caller = Record<DescMethod["methodKind"], (input: never, options?: CallOptions) => unknown>;

/**
 * The typed client of a service on grpc-js channels. Every failure is a
 * CmdopError. A response stream starts when it is first read, and is canceled
 * when its reader leaves early; backpressure is the reader's pace.
 */
export function createClient<S extends Service>(service: S, channelOf: ChannelOf): ServiceClient<S>;
export function createClient(service: Service, channelOf: ChannelOf): object {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      caller(service, method, channelOf)[method.methodKind],
    ]),
  );
}

function caller(service: Service, method: DescMethod, channelOf: ChannelOf): Caller {
  const path = methodPath(service, method);
  const { serialize } = codec(method.input);
  const { deserialize } = codec(method.output);

  return {
    unary: (request: In, options: CallOptions = {}) =>
      new Promise<Out>((resolve, reject) => {
        const call = channelOf(path).makeUnaryRequest(
          path,
          serialize,
          deserialize,
          request,
          ...settings(options),
          (error, value) => {
            stopListening();
            if (error) reject(fromServiceError(error, options.signal?.aborted ?? false));
            else if (value === undefined) reject(new TypeError(`${path} answered nothing`));
            else resolve(value);
          },
        );
        const stopListening = attend(call, options);
      }),

    server_streaming: async function* (request: In, options: CallOptions = {}) {
      const call = channelOf(path).makeServerStreamRequest(
        path,
        serialize,
        deserialize,
        request,
        ...settings(options),
      );
      const stopListening = attend(call, options);
      yield* received<Out>(call, options.signal, () => {
        stopListening();
        call.cancel();
      });
    },

    client_streaming: (requests: AsyncIterable<In>, options: CallOptions = {}) =>
      new Promise<Out>((resolve, reject) => {
        const over = new AbortController();
        const call = channelOf(path).makeClientStreamRequest(
          path,
          serialize,
          deserialize,
          ...settings(options),
          (error, value) => {
            over.abort();
            stopListening();
            if (error) reject(fromServiceError(error, options.signal?.aborted ?? false));
            else if (value === undefined) reject(new TypeError(`${path} answered nothing`));
            else resolve(value);
          },
        );
        const stopListening = attend(call, options);
        send(call, requests, over.signal).catch((thrown) => {
          reject(thrown);
          call.cancel();
        });
      }),

    bidi_streaming: async function* (requests: AsyncIterable<In>, options: CallOptions = {}) {
      const over = new AbortController();
      const call = channelOf(path).makeBidiStreamRequest(path, serialize, deserialize, ...settings(options));
      const stopListening = attend(call, options);
      let failure: { thrown: unknown } | undefined;
      send(call, requests, over.signal).catch((thrown) => {
        failure = { thrown };
        call.cancel();
      });
      try {
        yield* received<Out>(call, options.signal, () => {
          over.abort();
          stopListening();
          call.cancel();
        });
      } catch (error) {
        // What the caller's own iterable threw says more than the cancel that it caused.
        throw failure === undefined ? error : failure.thrown;
      }
    },
  };
}

function settings(options: CallOptions): [Metadata, { deadline?: number }] {
  const metadata = metadataOf(options.headers ?? {});
  return [metadata, options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs }];
}

/** Aborts the call with its signal, and passes on the headers of its answer; returns what ends the listening. */
function attend(call: ClientCall, { signal, onHeaders }: CallOptions): () => void {
  if (onHeaders !== undefined) {
    call.once("metadata", (metadata: Metadata) => onHeaders((name) => headerOf(metadata, name)));
  }
  return onAbort(signal, () => call.cancel());
}

async function* received<T>(
  call: AsyncIterable<T>,
  signal: AbortSignal | undefined,
  release: () => void,
): AsyncGenerator<T> {
  try {
    yield* call;
  } catch (thrown) {
    throw isServiceError(thrown) ? fromServiceError(thrown, signal?.aborted ?? false) : thrown;
  } finally {
    release();
  }
}

async function send(
  call: ClientWritableStream<In> | ClientDuplexStream<In, Out>,
  requests: AsyncIterable<In>,
  over: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (over.aborted) return;
    if (!call.write(request)) await drained(call, over);
  }
  call.end();
}
