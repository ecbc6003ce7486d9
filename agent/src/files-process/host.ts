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
import type { Boundary } from "../files/boundary.ts";
import { expandPath } from "../files/path.ts";
import { systemPinning } from "../files/pin.ts";
import type { Unfinished } from "../files/unfinished.ts";
import type { DiskOperations } from "./disk-operations.ts";
import { HostedCall } from "./hosted-call.ts";
import type { Pipe } from "./pipe.ts";
import type { Opening, StalledMount } from "./told.ts";

/** What the host works with. */
export interface HostOptions {
  readonly pipe: Pipe;
  readonly handlers: Handlers<typeof Files, Boundary>;
  readonly disk: DiskOperations;
  readonly unfinished: Unfinished;
  /** Throws for a path on a mount that does not answer. */
  readonly refuse: (path: string) => void;
}

type Method = (typeof Files.methods)[number];
type In = MessageOf<MessageType>;

/** A call that runs. */
interface Running {
  readonly call: HostedCall;
  readonly method: Method;
  /** What it works on, as its request says. */
  paths: readonly string[];
}

/** Carries out the calls that come through the pipe: the handlers that would serve them in the agent, each with the boundary that the agent sent. */
export class Host {
  readonly #options: HostOptions;
  readonly #running = new Map<number, Running>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  room(id: number, bytes: number): Buffer {
    return this.#running.get(id)?.call.room(bytes) ?? Buffer.allocUnsafe(bytes);
  }

  /** A frame of a call that was opened; of one that is over it says nothing new. */
  take(kind: number, id: number, payload: Buffer): void {
    const running = this.#running.get(id);
    if (running?.call.take(kind, payload) === false) throw new TypeError(`a frame of the kind ${kind}`);
  }

  /** Begins a call. */
  open(id: number, { method: name, scope }: Opening): void {
    const method = Files.methods.find(({ localName }) => localName === name);
    if (method === undefined) throw new TypeError(`no method ${name}`);
    const { pipe, unfinished, disk } = this.#options;
    const call = new HostedCall(pipe, id, method.methodKind === "client_streaming");
    const running: Running = { call, method, paths: [] };
    this.#running.set(id, running);
    const account = { key: scope.key ?? "", onStuck: (error: Error) => this.#giveUp(running, error) };
    const boundary = { ...scope, pinning: systemPinning, unfinished };
    disk
      .run(account, () => this.#carryOut(running, boundary))
      .then(
        () => call.finish(),
        (thrown: unknown) => call.fail(CmdopError.from(thrown)),
      )
      .finally(() => this.#running.delete(id));
  }

  /** Ends what waits for a mount in vain, be it behind another call. */
  giveUp({ point }: StalledMount, isOn: (path: string) => boolean): void {
    for (const running of this.#running.values()) {
      const path = running.paths.find(isOn);
      if (path === undefined) continue;
      this.#giveUp(
        running,
        new CmdopError("MountStalled", `The mount ${JSON.stringify(point)} does not answer.`),
      );
    }
  }

  /** What only reads, or has not been told yet to change anything, has failed; of the rest nobody knows. */
  #giveUp({ call, method }: Running, error: Error): void {
    const { code, message, next } = CmdopError.from(error);
    const isHarmless = methodRule(methodPath(Files, method))?.retry === "safe" || !call.isComplete;
    const unknown = `${message} It may happen when the mount comes back, or have happened already.`;
    call.fail(
      isHarmless
        ? new CmdopError(code, message, { next })
        : new CmdopError("OutcomeUnknown", unknown, { next }),
    );
  }

  async #carryOut(running: Running, boundary: Boundary): Promise<void> {
    const { call, method } = running;
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
    running.paths = this.#pathsOf(method, first, boundary);
    const { refuse } = this.#options;
    for (const path of running.paths) refuse(path);

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

  /** For what they say: what the handler makes of them is its own matter. */
  #pathsOf(method: Method, request: In, { home }: Boundary): string[] {
    const rule = methodRule(methodPath(Files, method));
    const named = rule === undefined ? [] : requestPaths(rule, request);
    return named.flatMap(({ path }) => {
      try {
        return [expandPath(path, home)];
      } catch (thrown) {
        // The handler says so, too, and better.
        if (thrown instanceof CmdopError) return [];
        throw thrown;
      }
    });
  }
}

function isStream(value: unknown): value is AsyncIterable<MessageInit<MessageType>> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function isMessage(value: unknown): value is MessageInit<MessageType> {
  return typeof value === "object" && value !== null;
}
