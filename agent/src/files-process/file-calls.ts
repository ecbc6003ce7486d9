import { onAbort } from "@cmdop/kit";
import {
  type CallOptions,
  CmdopError,
  codec,
  Files,
  type MessageInit,
  type MessageOf,
  type MessageType,
  type ServiceClient,
} from "@cmdop/proto";
import type { WorkCall } from "./work-call.ts";

/** The methods of the Files service as the agent's own code calls them. */
export type FileCalls = ServiceClient<typeof Files>;

/** Begins a call when there is room and a process for it. */
export type Begin = (method: string, options: CallOptions) => Promise<WorkCall>;

type Method = (typeof Files.methods)[number];
type In = MessageInit<MessageType>;
type Out = MessageOf<MessageType>;

/**
 * The client of the files process. As with any client of ours every failure is a
 * CmdopError, a stream begins when it is first read, and is canceled when its
 * reader leaves. Of the options, `signal` and `recycles` count.
 */
export function fileCalls(begin: Begin): FileCalls;
export function fileCalls(begin: Begin): object {
  return Object.fromEntries(
    Files.methods.map((method) => {
      const { methodKind, localName } = method;
      if (methodKind === "bidi_streaming") throw new TypeError(`${localName} goes both ways at once`);
      return [localName, caller(method, begin)[methodKind]];
    }),
  );
}

function caller(method: Method, begin: Begin) {
  const { pieces } = codec<MessageType>(method.input);
  const { deserialize } = codec<MessageType>(method.output);

  /** A call to its end, which comes at the latest when the caller leaves. */
  const during = async (options: CallOptions): Promise<{ call: WorkCall } & Disposable> => {
    const call = await begin(method.localName, options);
    const stopListening = onAbort(options.signal, () => call.leave(left()));
    return {
      call,
      [Symbol.dispose]: () => {
        stopListening();
        call.leave(left());
      },
    };
  };

  return {
    unary: async (request: In, options: CallOptions = {}): Promise<Out> => {
      using running = await during(options);
      running.call.ask(pieces(request));
      return deserialize(await onlyAnswer(running.call));
    },

    server_streaming: async function* (request: In, options: CallOptions = {}): AsyncGenerator<Out> {
      using running = await during(options);
      const { call } = running;
      call.ask(pieces(request));
      for (let next = await call.next(); next !== undefined; next = await call.next())
        yield deserialize(next);
    },

    client_streaming: async (requests: AsyncIterable<In>, options: CallOptions = {}): Promise<Out> => {
      using running = await during(options);
      const { call } = running;
      const sendAll = async (): Promise<void> => {
        for await (const request of requests) await call.send(pieces(request));
        call.finish();
      };
      sendAll().catch((thrown: unknown) => call.leave(thrown));
      return deserialize(await onlyAnswer(call));
    },
  };
}

async function onlyAnswer(call: WorkCall): Promise<Buffer> {
  const answer = await call.next();
  if (answer === undefined) throw new CmdopError("Internal", "The process for files answered with nothing.");
  // Its end, or what it failed with after all.
  await call.next();
  return answer;
}

function left(): CmdopError {
  return new CmdopError("Canceled", "The call was canceled.");
}
