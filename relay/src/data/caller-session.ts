import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  applyWindows,
  CmdopError,
  DEFAULT_MAX_REQUEST_BYTES,
  HEADERS,
  type Holder,
  type KeyId,
  LANE_WINDOWS,
  type LaneName,
  MAX_FRONT_HEADER_BYTES,
  type MachineIdentity,
  methodRule,
  type Watchdog,
  watchdog,
} from "@cmdop/proto";
import type { Log } from "../log.ts";
import { answerError } from "./answer.ts";
import type { AuthenticatedCaller, Authenticator } from "./authenticate.ts";
import type { Budget, OpenCall } from "./budget.ts";
import type { Directory } from "./directory.ts";
import { checkHeaderBytes, headerOf, requestHeaders } from "./headers.ts";
import {
  FRONT_RESET_BURST,
  FRONT_RESETS_PER_SECOND,
  FRONT_SESSION_MEMORY_MB,
  MAX_CALLS_PER_KEY,
  MAX_REFUSALS_OF_STRANGER,
  type Times,
} from "./limits.ts";
import { type ProxiedCall, proxy } from "./proxy.ts";
import type { ProvenKey, RecordedCall, Recorder } from "./recorder.ts";
import { route } from "./route.ts";
import type { Upstream } from "./upstream.ts";
import { Visitor } from "./visitor.ts";

/** What every caller's session shares. */
export interface FrontServices {
  readonly directory: Directory;
  readonly authenticator: Authenticator;
  readonly budget: Budget;
  readonly recorder: Recorder;
  /** The link of a machine; throws MachineOffline. */
  readonly machineUpstream: (machine: MachineIdentity, lane: LaneName) => Upstream;
  /** The relay's own services. */
  readonly relayUpstream: () => Upstream;
  readonly times: Times;
  readonly log: Log;
}

/** What one caller's session needs. */
export interface CallerSessionOptions extends FrontServices {
  /** The caller's connection, its handshake done, and the raw one below it. */
  readonly tls: TLSSocket;
  readonly raw: Socket;
  /** Who connected. */
  readonly address: string;
  /** Called once, with the first call that has a good token. */
  readonly onKnown: () => void;
  readonly onClose: () => void;
}

/** What is found out about a call on its way, for its record. */
interface Attempt {
  key: ProvenKey | undefined;
  record: RecordedCall | undefined;
}

/** One caller's connection: each of its calls is authenticated, routed and piped on its own. */
export class CallerSession {
  readonly #options: CallerSessionOptions;
  readonly #session: ServerHttp2Session;
  readonly #watchdog: Watchdog;
  readonly #address: string;
  readonly #visitor: Visitor;
  #openStreams = 0;
  #refusals = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #lane: LaneName = "interactive";
  #known: { readonly keyId: KeyId; readonly release: () => void } | undefined;
  #closed = false;

  constructor(options: CallerSessionOptions) {
    this.#options = options;
    const { tls, raw, times } = options;
    this.#address = options.address;
    this.#visitor = new Visitor(this.#address);
    this.#session = performServerHandshake(tls, {
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      maxSessionMemory: FRONT_SESSION_MEMORY_MB,
      streamResetBurst: FRONT_RESET_BURST,
      streamResetRate: FRONT_RESETS_PER_SECOND,
      settings: {
        initialWindowSize: LANE_WINDOWS.interactive.toMachine.stream,
        maxHeaderListSize: MAX_FRONT_HEADER_BYTES,
      },
    });
    this.#session.once("connect", () => {
      if (!this.#session.destroyed)
        this.#session.setLocalWindowSize(LANE_WINDOWS.interactive.toMachine.session);
    });
    this.#session.on("stream", (stream, headers) => this.#accept(stream, headers));
    // An error is always followed by close, or by the watchdog where Node never says close.
    this.#session.on("error", () => undefined);
    this.#session.once("close", () => this.destroy());
    tls.once("close", () => this.destroy());
    this.#watchdog = watchdog({
      session: this.#session,
      socket: raw,
      tls,
      pingIntervalMs: times.callerPingIntervalMs,
      deadAfterMs: times.callerDeadAfterMs,
      onDead: () => this.destroy(),
    });
  }

  get openStreams(): number {
    return this.#openStreams;
  }

  /** Takes no more calls; the connection ends with the last one. */
  drain(): void {
    if (!this.#session.closed) this.#session.close();
  }

  /** Ends the connection and all its calls. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    this.#watchdog.stop();
    this.#known?.release();
    this.#session.destroy();
    this.#options.tls.destroy();
    this.#options.raw.destroy();
    this.#options.onClose();
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Every error of a stream is followed by its close, which says all that matters.
    stream.on("error", () => undefined);
    this.#openStreams += 1;
    clearTimeout(this.#idleTimer);
    stream.once("close", () => {
      this.#openStreams -= 1;
      if (this.#openStreams === 0 && this.#known !== undefined && !this.#closed) this.#awaitNextCall();
    });
    const attempt: Attempt = { key: undefined, record: undefined };
    this.#handle(stream, headers, attempt).catch((thrown) => {
      const error = CmdopError.from(thrown);
      this.#recordFailure(headers, attempt, error);
      if (error.code === "Internal") this.#options.log.error("call failed", { message: error.message });
      answerError(stream, error);
      if (this.#known === undefined) this.#noteRefusal();
    });
  }

  async #handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, attempt: Attempt): Promise<void> {
    const { directory, authenticator, budget, recorder, machineUpstream, relayUpstream } = this.#options;
    checkHeaderBytes(headers);
    const path = headerOf(headers, ":path") ?? "";
    const rule = methodRule(path);
    if (rule === undefined || headers[":method"] !== "POST") {
      throw new CmdopError("Unimplemented", "This relay routes no such method.");
    }
    if (this.#known === undefined && this.#openStreams > MAX_CALLS_PER_KEY) {
      throw new CmdopError(
        "LimitExceeded",
        `More than ${MAX_CALLS_PER_KEY} calls at once on one new connection.`,
      );
    }
    let caller: AuthenticatedCaller;
    let rosterSeq: number;
    do {
      // Owners and revocations may change while signatures are checked: what counts is what holds when the call is counted.
      rosterSeq = directory.rosterSeq();
      caller = await authenticator.authenticate({
        authorization: headerOf(headers, HEADERS.authorization),
        visitor: this.#visitor,
        onProven: (key) => {
          attempt.key = key;
        },
      });
    } while (directory.rosterSeq() !== rosterSeq);
    this.#becomeKnown(caller.keyId);
    const destination = route(directory, caller, path, rule, headerOf(headers, HEADERS.machine));
    if (stream.closed || stream.destroyed) {
      throw new CmdopError("Canceled", "The caller left before the call went on.");
    }
    const upstream =
      destination.kind === "relay" ? relayUpstream() : machineUpstream(destination.machine, rule.lane);
    this.#raiseTo(rule.lane);

    let call: ProxiedCall | undefined;
    const open: OpenCall = { to: destination.kind, fail: (error) => call?.fail(error) };
    const release = budget.openCall(caller.keyId, open);
    const holder: Holder = {
      account: caller.keyId,
      heldBytes: () => call?.heldBytes() ?? 0,
      canBeDropped: () => call !== undefined,
      drop: () => call?.drop(),
    };
    try {
      const record = recorder.begin({
        caller,
        address: this.#address,
        method: path,
        machine: destination.kind === "machine" ? destination.machine : undefined,
      });
      attempt.record = record;
      call = proxy({
        caller: stream,
        upstream,
        headers: requestHeaders(headers, path, {
          ...(caller.grant === undefined ? {} : { [HEADERS.grant]: caller.grant.statement }),
          ...(destination.kind === "relay" ? { [HEADERS.caller]: caller.keyId } : {}),
          [HEADERS.call]: record.id,
        }),
        maxRequestBytes: rule.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
        onHold: (holding) => (holding ? budget.hold(holder) : budget.release(holder)),
        onEnd: (ending) => {
          release();
          record.end(ending);
          if (ending.canceled) budget.noteCancel(caller.keyId);
        },
      });
    } catch (thrown) {
      release();
      throw thrown;
    }
  }

  /** A call that did not go on is over: what was begun has its end, everything else was refused. */
  #recordFailure(headers: IncomingHttpHeaders, { key, record }: Attempt, { code }: CmdopError): void {
    if (record !== undefined) {
      record.end({ code, bytesIn: 0, bytesOut: 0 });
      return;
    }
    this.#options.recorder.refused({
      key,
      address: this.#address,
      method: headerOf(headers, ":path") ?? "",
      machine: headerOf(headers, HEADERS.machine),
      code,
    });
  }

  /** The first good token makes the connection its key's. */
  #becomeKnown(keyId: KeyId): void {
    if (this.#known !== undefined || this.#closed) return;
    const { budget, onKnown } = this.#options;
    const releaseSession = budget.openSession(keyId);
    this.#known = { keyId, release: releaseSession };
    onKnown();
  }

  /** What the first call that moves content says is what the connection is for: windows are never large both ways. */
  #raiseTo(lane: LaneName): void {
    if (this.#lane !== "interactive" || lane === "interactive" || this.#session.destroyed) return;
    this.#lane = lane;
    applyWindows(this.#session, LANE_WINDOWS[lane].toMachine);
  }

  #noteRefusal(): void {
    this.#refusals += 1;
    if (this.#refusals < MAX_REFUSALS_OF_STRANGER || this.#session.destroyed) return;
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#session.close();
  }

  #awaitNextCall(): void {
    this.#idleTimer = setTimeout(() => this.drain(), this.#options.times.idleSessionMs);
    this.#idleTimer.unref();
  }
}
