import type { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { onAbort } from "@cmdop/kit";
import type { RelayTarget } from "../credentials/api-key.ts";
import { isPinnedRelayId, relayIdOf, splitAddress } from "../credentials/relay-id.ts";
import { dialRelay, routeTo, silence } from "../dial/dial-relay.ts";
import { isLoopback } from "../dial/no-proxy.ts";
import { RelayFault, type RelayFaultKind } from "../dial/relay-fault.ts";
import { CmdopError } from "../errors/cmdop-error.ts";
import { printable } from "../visible.ts";

/** ALPN of a caller's connection: ordinary gRPC. */
export const CALLER_ALPN = "h2";

/** ALPN of an agent's connection: HTTP/2 with the roles swapped, the relay being the client. */
export const AGENT_ALPN = "cmdop-agent/1";

/** From the first packet to a verified TLS connection, in milliseconds. */
export const RELAY_CONNECT_TIMEOUT_MS = 10_000;

/** How to reach a relay. */
export interface RelayConnectOptions {
  readonly relay: RelayTarget;
  readonly alpn: string;
  /** A TCP connection that exists already; otherwise one is made to the relay's address. */
  readonly socket?: Socket | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * A TLS connection to a relay whose identity has been verified; by the proxy of
 * the environment where it names one. Throws RelayUnreachable when nothing
 * answers, RelayUntrusted when something else does, either with a RelayFault as
 * its cause.
 */
export async function connectToRelay({
  relay,
  alpn,
  socket,
  signal,
  timeoutMs = RELAY_CONNECT_TIMEOUT_MS,
}: RelayConnectOptions): Promise<TLSSocket> {
  if (signal?.aborted) throw canceled();
  const { host, port } = splitAddress(relay.address);
  const attempt = new AbortController();
  const stopListening = onAbort(signal, () => attempt.abort(canceled()));
  let timer: NodeJS.Timeout | undefined;
  try {
    const route = routeTo(host, port);
    let isConnected = socket !== undefined;
    timer = setTimeout(() => attempt.abort(silence(route, timeoutMs, isConnected)), timeoutMs);
    const tcp = socket ?? (await dialRelay(route, attempt.signal));
    isConnected = true;
    return await secure(tcp, relay, alpn, attempt.signal);
  } catch (thrown) {
    throw thrown instanceof RelayFault ? relayError(relay, thrown) : thrown;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

/** TLS on a connection, and the check of who is there. Throws a RelayFault, or the signal's reason. */
async function secure(
  tcp: Socket,
  relay: RelayTarget,
  alpn: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { host } = splitAddress(relay.address);
  const pinned = isPinnedRelayId(relay.id);
  const servername = pinned ? host : relay.id;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const tls = connect({
    socket: tcp,
    ALPNProtocols: [alpn],
    minVersion: "TLSv1.3",
    // checkRelay below judges before any byte is sent, and can say whose certificate it was.
    rejectUnauthorized: false,
    // A load balancer that passes TLS on chooses by it.
    ...(isIP(servername) === 0 && !servername.includes("%") ? { servername } : {}),
  });
  const onClose = (): void => reject(new RelayFault("closed", "it closed the connection"));
  const stopListening = onAbort(signal, () => reject(signal.reason));
  tls.once("secureConnect", resolve);
  // It stays: a socket that dies later than its owner's interest must not crash the process.
  tls.on("error", (error) => reject(tlsFault(error)));
  tls.once("close", onClose);
  try {
    await promise;
    checkRelay(tls, relay);
    if (tls.alpnProtocol !== alpn) throw new RelayFault("not-a-relay", `it does not speak ${alpn}`);
    tls.setNoDelay(true);
    return tls;
  } catch (thrown) {
    tls.destroy();
    throw thrown;
  } finally {
    stopListening();
    tls.off("close", onClose);
  }
}

/** Throws unless the peer is the relay: by its pin, or by a public certificate for its name. */
function checkRelay(tls: TLSSocket, relay: RelayTarget): void {
  if (isPinnedRelayId(relay.id)) {
    checkPinnedCertificate(tls.getPeerX509Certificate(), relay);
    return;
  }
  if (tls.authorized) return;
  const shown = shownBy(tls.getPeerX509Certificate());
  throw new RelayFault("other-certificate", `${shown} (${printable(String(tls.authorizationError))})`, {
    next: `Check the address ${relay.address}. Where your network opens TLS on purpose and you trust it with all that passes, name its authority in NODE_EXTRA_CA_CERTS; better, have the relay excepted from that.`,
  });
}

/**
 * Checks that the leaf was issued by the CA whose public key hashes to the
 * relay's id. Only the end of the leaf's validity counts, not its beginning:
 * a device whose clock starts in 1970 must still find its relay.
 */
function checkPinnedCertificate(leaf: X509Certificate | undefined, relay: RelayTarget): void {
  const ca = leaf?.issuerCertificate;
  if (leaf === undefined || ca === undefined) throw foreign(leaf, relay, "it did not show its CA");
  if (relayIdOf(ca) !== relay.id) throw foreign(leaf, relay, `its CA is that of relay ${relayIdOf(ca)}`);
  if (!leaf.checkIssued(ca) || !leaf.verify(ca.publicKey))
    throw foreign(leaf, relay, "its CA did not issue its certificate");
  if (Date.parse(leaf.validTo) < Date.now()) {
    throw new RelayFault("certificate-ended", `its certificate ended on ${leaf.validTo}`, {
      next: "Compare the clock here with the relay's. A relay renews its certificate by itself while it runs.",
    });
  }
}

/** Another's certificate: that of another relay, or of whoever opens TLS on the way. */
function foreign(leaf: X509Certificate | undefined, relay: RelayTarget, why: string): RelayFault {
  const isRelay = leaf !== undefined && commonName(leaf.issuer) === RELAY_CA_NAME;
  return new RelayFault("other-certificate", `${shownBy(leaf)}: ${why}`, {
    next: isRelay
      ? "Another relay answers at this address: check the address, or take a key or join token of this relay."
      : `Something in between opens TLS (a company's inspection, a virus scanner), or the address is another server's. The relay's own key is pinned, and no other authority can stand for it: have ${relay.address} excepted from TLS inspection.`,
  });
}

/** The common name of the CA that every relay makes for itself. */
export const RELAY_CA_NAME = "cmdop relay CA";

/** Whose certificate it was, and who issued it. */
function shownBy(leaf: X509Certificate | undefined): string {
  if (leaf === undefined) return "it showed no certificate";
  return `it showed the certificate of ${nameIn(leaf.subject)}, issued by ${nameIn(leaf.issuer)}`;
}

/** Who a subject or issuer is, for people: name and organisation, made visible and bounded. */
function nameIn(distinguishedName: string): string {
  const organisation = /^O=(.*)$/m.exec(distinguishedName)?.[1];
  const names = [commonName(distinguishedName), organisation].filter((name) => name !== undefined);
  const shown = names.length === 0 ? distinguishedName.replaceAll("\n", ", ") : names.join(", ");
  return JSON.stringify(printable(shown.slice(0, MAX_NAME_CHARACTERS)));
}

/** Characters of a name in a certificate that are repeated. */
const MAX_NAME_CHARACTERS = 120;

function commonName(distinguishedName: string): string | undefined {
  return /^CN=(.*)$/m.exec(distinguishedName)?.[1];
}

function tlsFault(error: Error): RelayFault {
  const code = "code" in error ? String(error.code) : "";
  // Somebody answered, with no TLS that we speak.
  if (code.startsWith("ERR_SSL_")) {
    // OpenSSL's message has its source file and a line break; its reason is for people.
    const reason = "reason" in error && typeof error.reason === "string" ? error.reason : code;
    return new RelayFault("not-tls", printable(reason), {
      cause: error,
      next: "What listens there speaks no TLS 1.3: check host and port, and whether something in between opens TLS.",
    });
  }
  return new RelayFault("closed", error.message || code, { cause: error });
}

const UNTRUSTED: readonly RelayFaultKind[] = [
  "not-tls",
  "not-a-relay",
  "other-certificate",
  "certificate-ended",
];

function relayError(relay: RelayTarget, fault: RelayFault): CmdopError {
  // Only `cmdop up` makes keys of a relay that nobody else can reach.
  const isOwn = fault.kind === "refused" && isLoopback(splitAddress(relay.address).host);
  const next = isOwn ? "It is this machine's own: run cmdop up." : fault.next;
  const options = { cause: fault, next };
  return UNTRUSTED.includes(fault.kind)
    ? new CmdopError(
        "RelayUntrusted",
        `What answers at ${relay.address} is not relay ${relay.id}: ${fault.message}.`,
        options,
      )
    : new CmdopError(
        "RelayUnreachable",
        `The relay at ${relay.address} can't be reached: ${fault.message}.`,
        options,
      );
}

function canceled(): CmdopError {
  return new CmdopError("Canceled", "The connection attempt was canceled.");
}
