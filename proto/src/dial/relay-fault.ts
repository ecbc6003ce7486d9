/** Reasons why a relay could not be reached, for programs to tell apart. */
export type RelayFaultKind =
  /** The host name has no address, or no name server answers. */
  | "name-unknown"
  /** The host answers; nothing listens on the port, or a firewall refuses. */
  | "refused"
  /** There is no route to the host. */
  | "no-route"
  /** Nothing came back in time. */
  | "no-answer"
  /** The connection was accepted and ended. */
  | "closed"
  /** The proxy that the environment names can't be read as one. */
  | "proxy-setting"
  /** The proxy itself can't be reached. */
  | "proxy-unreachable"
  /** The https:// proxy showed a certificate that is not trusted here. */
  | "proxy-untrusted"
  /** The proxy wants a user and password, or others than it was given (407). */
  | "proxy-login"
  /** The proxy's rules forbid the connection (403). */
  | "proxy-forbids"
  /** The proxy could not reach the relay (5xx). */
  | "proxy-cannot-reach"
  /** The proxy answered with something that no CONNECT proxy says: often a web server. */
  | "proxy-foreign"
  /** The peer speaks no TLS, or none that cmdop speaks. */
  | "not-tls"
  /** The peer speaks TLS, and is no cmdop relay: it agreed on another protocol. */
  | "not-a-relay"
  /** The peer showed a certificate that is not the relay's: TLS interception, another relay, or another server. */
  | "other-certificate"
  /** The relay's certificate has ended, by the clock here. */
  | "certificate-ended";

/** Details of a fault. */
export interface RelayFaultOptions {
  /** The next step. */
  readonly next?: string | undefined;
  /** The proxy in between, as `http://host:port`: never with its user and password. */
  readonly proxy?: string | undefined;
  readonly cause?: unknown;
}

/** The reason why a relay could not be reached. It is the cause of a RelayUnreachable or RelayUntrusted error. */
export class RelayFault extends Error {
  readonly kind: RelayFaultKind;
  readonly next: string | undefined;
  readonly proxy: string | undefined;

  constructor(kind: RelayFaultKind, message: string, { next, proxy, cause }: RelayFaultOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RelayFault";
    this.kind = kind;
    this.next = next;
    this.proxy = proxy;
  }
}

/** Returns the fault behind an error, if it is about a relay that could not be reached. */
export function relayFaultOf(error: unknown): RelayFault | undefined {
  if (error instanceof RelayFault) return error;
  return error instanceof Error && error.cause instanceof RelayFault ? error.cause : undefined;
}
