import type { Socket } from "node:net";
import { CALLER_ALPN, CmdopError, connectToRelay, DrainingDuplex, type RelayTarget } from "@cmdop/proto";
import { CallCredentials, ChannelCredentials, type ChannelOptions } from "@grpc/grpc-js";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * grpc-js credentials that check a relay the way the API key says: by the pin of
 * its CA, or as a public host. grpc-js brings the TCP connection, this brings TLS.
 */
export class RelayCredentials extends ChannelCredentials {
  readonly #relay: RelayTarget;
  #last: { readonly error: CmdopError; readonly atMs: number } | undefined;

  constructor(relay: RelayTarget) {
    super();
    this.#relay = relay;
  }

  /**
   * Why an attempt of the last `withinMs` failed, where it came as far as TLS:
   * grpc-js itself keeps only a text, and says nothing of attempts that failed before.
   */
  recentError(withinMs: number): CmdopError | undefined {
    return this.#last !== undefined && performance.now() - this.#last.atMs <= withinMs
      ? this.#last.error
      : undefined;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: ChannelOptions,
    callCredentials: CallCredentials = CallCredentials.createEmpty(),
  ): SecureConnector {
    return {
      connect: async (socket: Socket) => {
        try {
          const tls = await connectToRelay({ relay: this.#relay, alpn: CALLER_ALPN, socket });
          this.#last = undefined;
          return { socket: new DrainingDuplex(tls), secure: true };
        } catch (thrown) {
          this.#last = { error: CmdopError.from(thrown), atMs: performance.now() };
          throw thrown;
        }
      },
      waitForReady: async () => undefined,
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}
