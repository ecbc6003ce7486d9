import {
  CmdopError,
  codec,
  Files,
  type Handlers,
  type MessageInit,
  type MessageOf,
  type MessageType,
  methodPath,
  methodRule,
  requestPaths,
} from "@cmdop/proto";
import type { Boundary } from "../files/place/boundary.ts";
import { expandPath } from "../files/place/path.ts";
import { systemPinning } from "../files/place/pin.ts";
import type { Unfinished } from "../files/unfinished/unfinished.ts";
import type { DiskOperations } from "./disk-operations.ts";
import { HostedCall } from "./hosted-call.ts";
import type { Pipe } from "./pipe.ts";
import type { Opening } from "./told.ts";

/** What the host works with. */
export interface HostOptions {
  readonly pipe: Pipe;
  readonly handlers: Handlers<typeof Files, Boundary>;
  readonly disk: DiskOperations;
  readonly unfinished: Unfinished;
  /** Resolves when what an earlier process left half written is whole. No call begins before. */
  readonly finished: Promise<void>;
  /** Throws for a path on a mount that does not answer. */
  readonly refuse: (path: string) => void;
}

type Method = (typeof Files.methods)[number];
type In = MessageOf<MessageType>;

/** Carries out the calls that come through the pipe: the handlers that would serve them in the agent, each with the boundary that the agent sent. */
export class Host {
  readonly #options: HostOptions;
  readonly #running = new Map<number, HostedCall>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  room(id: number, bytes: number): Buffer {
    return this.#running.get(id)?.room(bytes) ?? Buffer.allocUnsafe(bytes);
  }

  /** A frame of a call that was opened; of one that is over it says nothing new. */
  take(kind: number, id: number, payload: Buffer): void {
    if (this.#running.get(id)?.take(kind, payload) === false)
      throw new TypeError(`a frame of the kind ${kind}`);
  }

  /** Begins a call. */
  open(id: number, { method: name, scope }: Opening): void {
    const method = Files.methods.find(({ localName }) => localName === name);
    if (method === undefined) throw new TypeError(`no method ${name}`);
    const { pipe, unfinished, disk } = this.#options;
    const call = new HostedCall(pipe, id, method.methodKind === "client_streaming");
    this.#running.set(id, call);
    const boundary = { ...scope, pinning: systemPinning, unfinished };
    disk
      .run({ key: scope.key ?? "" }, () => this.#carryOut(call, method, boundary))
      .then(
        () => call.finish(),
        (thrown: unknown) => call.fail(CmdopError.from(thrown)),
      )
      .finally(() => this.#running.delete(id));
  }

  async #carryOut(call: HostedCall, method: Method, boundary: Boundary): Promise<void> {
    const { handlers } = this.#options;
    const { pieces } = codec(method.output);
    const { deserialize } = codec(method.input);
    const handler: unknown = Reflect.get(handlers, method.localName);
    if (typeof handler !== "function") throw new TypeError(`${method.localName} has no handler`);
    const context = { caller: boundary, signal: call.signal };
    const body = await call.next();
    if (body === undefined)
      throw new CmdopError("InvalidArgument", `${method.name} ended before its first message.`);
    const first = deserialize(body);
    await this.#options.finished;
    for (const path of pathsOf(method, first, boundary)) this.#options.refuse(path);

    const all = async function* (): AsyncGenerator<In> {
      yield first;
      for (let next = await call.next(); next !== undefined; next = await call.next())
        yield deserialize(next);
    };
    const request = method.methodKind === "client_streaming" ? all() : first;
    const answers: unknown = Reflect.apply(handler, handlers, [request, context]);
    if (method.methodKind === "server_streaming" && isStream(answers)) {
      for await (const answer of answers) {
        if (call.signal.aborted) return;
        await call.send(pieces(answer));
      }
      return;
    }
    const answer: unknown = await answers;
    if (isMessage(answer)) await call.send(pieces(answer));
  }
}

/** What a request names, as far as it can be understood: the handler says better what is wrong with the rest. */
function pathsOf(method: Method, request: In, { home }: Boundary): string[] {
  const rule = methodRule(methodPath(Files, method));
  const named = rule === undefined ? [] : requestPaths(rule, request);
  return named.flatMap(({ path }) => {
    try {
      return [expandPath(path, home)];
    } catch (thrown) {
      if (thrown instanceof CmdopError) return [];
      throw thrown;
    }
  });
}

function isStream(value: unknown): value is AsyncIterable<MessageInit<MessageType>> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function isMessage(value: unknown): value is MessageInit<MessageType> {
  return typeof value === "object" && value !== null;
}
