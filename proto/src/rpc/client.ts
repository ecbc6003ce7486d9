import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { CmdopError } from "../errors/cmdop-error.ts";
import type { RpcChannel } from "./channel.ts";
import { codec } from "./codec.ts";
import { methodPath } from "./method-path.ts";
import { OutgoingCall } from "./outgoing-call.ts";
import type { CallOptions, Service, ServiceClient } from "./types.ts";

type In = MessageInitShape<DescMessage>;
type Out = MessageShape<DescMessage>;

/** The channel that carries a method, by its path on the wire: lanes have channels of their own. */
export type ChannelOf = (path: string) => RpcChannel;

/** The calls of one method, whatever its kind; `createClient` picks the one that fits. */
type Caller = Record<DescMethod["methodKind"], (input: never, options?: CallOptions) => unknown>;

/**
 * The typed client of a service. Every failure is a CmdopError. A response
 * stream starts when it is first read, and is canceled when its reader leaves
 * early; backpressure is the reader's pace.
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
  const { frame } = codec(method.input);
  const { deserialize } = codec(method.output);
  const begin = (options: CallOptions): OutgoingCall<Out> =>
    new OutgoingCall({ channel: channelOf(path), path, deserialize }, options);

  return {
    unary: async (request: In, options: CallOptions = {}) => {
      const call = begin(options);
      try {
        await call.open(frame(request));
        return await onlyAnswer(call, path);
      } finally {
        call.release();
      }
    },

    server_streaming: async function* (request: In, options: CallOptions = {}) {
      const call = begin(options);
      try {
        await call.open(frame(request));
        yield* answers(call);
      } finally {
        call.release();
      }
    },

    client_streaming: async (requests: AsyncIterable<In>, options: CallOptions = {}) => {
      const call = begin(options);
      try {
        await call.open();
        const source = send(call, requests, frame);
        try {
          return await onlyAnswer(call, path);
        } catch (thrown) {
          throw source.failure === undefined ? thrown : source.failure.thrown;
        }
      } finally {
        call.release();
      }
    },

    bidi_streaming: async function* (requests: AsyncIterable<In>, options: CallOptions = {}) {
      const call = begin(options);
      try {
        await call.open();
        const source = send(call, requests, frame);
        try {
          yield* answers(call);
        } catch (thrown) {
          throw source.failure === undefined ? thrown : source.failure.thrown;
        }
      } finally {
        call.release();
      }
    },
  };
}

type Frame = (message: In) => Buffer[];

async function onlyAnswer(call: OutgoingCall<Out>, path: string): Promise<Out> {
  const answer = await call.next();
  if (answer === undefined) throw new CmdopError("LinkLost", `${path} was answered with nothing.`);
  if ((await call.next()) === undefined) return answer;
  throw new CmdopError("Internal", `${path} has one answer, and was given several.`);
}

async function* answers(call: OutgoingCall<Out>): AsyncGenerator<Out> {
  for (let next = await call.next(); next !== undefined; next = await call.next()) yield next;
}

/** Where the messages of a request stream come from. */
interface RequestSource {
  /** What it threw: that ended the call, and says more than the cancel that it caused. */
  failure: { readonly thrown: unknown } | undefined;
}

/** Sends what the requests bring, in the background. */
function send(call: OutgoingCall<Out>, requests: AsyncIterable<In>, frame: Frame): RequestSource {
  const source: RequestSource = { failure: undefined };
  const sendAll = async (): Promise<void> => {
    for await (const request of requests) {
      if (call.over.aborted) return;
      await call.send(frame(request));
    }
    call.finish();
  };
  sendAll().catch((thrown: unknown) => {
    source.failure = { thrown };
    call.cancel();
  });
  return source;
}
