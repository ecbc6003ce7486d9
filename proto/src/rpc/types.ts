import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { ErrorCode } from "../errors/table.ts";

/** A service descriptor as protoc-gen-es makes it. */
export type Service = Omit<DescService, "method"> & { method: Record<string, DescMethod> };

type Input<M extends DescMethod> = MessageShape<M["input"]>;
type InputInit<M extends DescMethod> = MessageInitShape<M["input"]>;
type Output<M extends DescMethod> = MessageShape<M["output"]>;
type OutputInit<M extends DescMethod> = MessageInitShape<M["output"]>;

/** What a handler knows about its call, besides the request. */
export interface Call<Caller> {
  /** Who calls, as `admit` found out. */
  readonly caller: Caller;
  /** Aborts when the stream is over for whatever reason: a cancel, a lost caller, a deadline; also after success. */
  readonly signal: AbortSignal;
}

/** What is known about a call before its handler runs. */
export interface Arrival {
  /** The method's full path: `/cmdop.v1.Exec/Start`. */
  readonly path: string;
  /** A header's value, the first where there are several. */
  header(name: string): string | undefined;
  /** The request, or the first message of a request stream. */
  readonly request: MessageShape<DescMessage>;
  /** As in Call: aborts when the stream is over, for whatever reason. */
  readonly signal: AbortSignal;
  /** Sends the answer's headers ahead, once, with these among them: the caller hears something while it is kept waiting. */
  inform(headers: Readonly<Record<string, string>>): void;
}

/** A call that may run. */
export interface Admitted<Caller> {
  readonly caller: Caller;
  /** Aborts, with a CmdopError as reason, when the call may not go on: it then ends with that error. */
  readonly revoked?: AbortSignal | undefined;
  /** Called once, when the call is over: with `Ok`, or the code of the error that its caller is sent. */
  readonly onEnd?: ((code: "Ok" | ErrorCode) => void) | undefined;
}

/** Decides on a call before its handler runs; throws a CmdopError to refuse it. */
export type Admit<Caller> = (arrival: Arrival) => Promise<Admitted<Caller>>;

/** The handler of one method. */
export type Handler<M extends DescMethod, Caller> = {
  unary: (request: Input<M>, call: Call<Caller>) => Promise<OutputInit<M>>;
  server_streaming: (request: Input<M>, call: Call<Caller>) => AsyncIterable<OutputInit<M>>;
  client_streaming: (requests: AsyncIterable<Input<M>>, call: Call<Caller>) => Promise<OutputInit<M>>;
  bidi_streaming: (requests: AsyncIterable<Input<M>>, call: Call<Caller>) => AsyncIterable<OutputInit<M>>;
}[M["methodKind"]];

/** A handler for every method of a service. */
export type Handlers<S extends Service, Caller> = {
  [K in keyof S["method"]]: Handler<S["method"][K], Caller>;
};

/** What a caller may say about one call. */
export interface CallOptions {
  /** Ends the call (not the job behind it) with Canceled. */
  signal?: AbortSignal | undefined;
  /** The call's deadline from now, in milliseconds; DeadlineExceeded when it passes. */
  timeoutMs?: number | undefined;
  /** Headers of this call. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes that a message of the answer may have, where that is less than MAX_MESSAGE_BYTES: who answers is not trusted with more. */
  maxAnswerBytes?: number | undefined;
  /** True where each message of the answer is needed only until the next is asked for: its memory is used again then. */
  recycles?: boolean | undefined;
  /** True: waiting for this call's answers does not keep the program running. */
  background?: boolean | undefined;
  /** Called with the answer's headers when they arrive, which may be long before the answer. */
  onHeaders?: ((header: (name: string) => string | undefined) => void) | undefined;
}

/** The client side of one method. */
export type Method<M extends DescMethod> = {
  unary: (request: InputInit<M>, options?: CallOptions) => Promise<Output<M>>;
  server_streaming: (request: InputInit<M>, options?: CallOptions) => AsyncIterable<Output<M>>;
  client_streaming: (requests: AsyncIterable<InputInit<M>>, options?: CallOptions) => Promise<Output<M>>;
  bidi_streaming: (requests: AsyncIterable<InputInit<M>>, options?: CallOptions) => AsyncIterable<Output<M>>;
}[M["methodKind"]];

/** The client side of a service. */
export type ServiceClient<S extends Service> = { [K in keyof S["method"]]: Method<S["method"][K]> };
