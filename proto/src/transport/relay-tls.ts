import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { onAbort } from "@cmdop/kit";
import type { RelayTarget } from "../credentials/api-key.ts";
import { isPinnedRelayId, relayIdOf, splitAddress } from "../credentials/relay-id.ts";
import { CmdopError } from "../errors/cmdop-error.ts";

/** ALPN of a caller's connection: ordinary gRPC. */
export const CALLER_ALPN = "h2";

/** ALPN of an agent's connection: HTTP/2 with the roles swapped, the relay being the client. */
export const AGENT_ALPN = "cmdop-agent/1";

/** From the first packet to a verified TLS connection, in milliseconds. */
export const RELAY_CONNECT_TIMEOUT_MS = 10_000;

/** Hosts that are this machine itself. */
const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

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
 * A TLS connection to a relay whose identity has been verified. Throws
 * RelayUnreachable when nothing answers, RelayUntrusted when something else does.
 */
export function connectToRelay({
  relay,
  alpn,
  socket,
  signal,
  timeoutMs,
}: RelayConnectOptions): Promise<TLSSocket> {
  const { host, port } = splitAddress(relay.address);
  const pinned = isPinnedRelayId(relay.id);
  const options: ConnectionOptions = {
    ...(socket === undefined ? { host, port } : { socket }),
    ALPNProtocols: [alpn],
    minVersion: "TLSv1.3",
    // A pinned relay's CA is in no root store: checkPinnedCertificate below replaces this check, before any byte is sent.
    rejectUnauthorized: !pinned,
    ...(pinned ? {} : { servername: relay.id }),
  };
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(canceled());
      return;
    }
    const tls = connect(options);
    const waitedMs = timeoutMs ?? RELAY_CONNECT_TIMEOUT_MS;
    const timer = setTimeout(() => fail(unreachable(relay, `no answer within ${waitedMs} ms`)), waitedMs);
    const stopListening = onAbort(signal, () => fail(canceled()));
    const release = (): void => {
      clearTimeout(timer);
      stopListening();
      tls.off("error", onError);
      tls.off("close", onClose);
    };
    const fail = (error: CmdopError): void => {
      release();
      // A socket that dies later than its owner's interest must not crash the process.
      tls.on("error", () => undefined);
      tls.destroy();
      reject(error);
    };
    const onError = (error: Error): void => {
      const code = "code" in error ? String(error.code) : "";
      // Somebody answered, but with another certificate or with no TLS that we speak.
      const foreign = Boolean(tls.authorizationError) || code.startsWith("ERR_SSL_");
      // An attempt at several addresses of a host fails without a message.
      fail((foreign ? untrusted : unreachable)(relay, error.message || code, error));
    };
    const onClose = (): void => fail(unreachable(relay, "it closed the connection"));
    tls.once("error", onError);
    tls.once("close", onClose);
    tls.once("secureConnect", () => {
      try {
        if (pinned) checkPinnedCertificate(tls.getPeerX509Certificate(), relay);
        if (tls.alpnProtocol !== alpn) throw untrusted(relay, `it does not speak ${alpn}`);
      } catch (thrown) {
        fail(CmdopError.from(thrown));
        return;
      }
      release();
      tls.setNoDelay(true);
      resolve(tls);
    });
  });
}

/**
 * Checks that the leaf was issued by the CA whose public key hashes to the
 * relay's id. Only the end of the leaf's validity counts, not its beginning:
 * a device whose clock starts in 1970 must still find its relay.
 */
export function checkPinnedCertificate(leaf: X509Certificate | undefined, relay: RelayTarget): void {
  const ca = leaf?.issuerCertificate;
  if (leaf === undefined || ca === undefined) throw untrusted(relay, "it did not show its CA");
  if (relayIdOf(ca) !== relay.id) throw untrusted(relay, `its CA is that of relay ${relayIdOf(ca)}`);
  if (!leaf.checkIssued(ca) || !leaf.verify(ca.publicKey))
    throw untrusted(relay, "its CA did not issue its certificate");
  if (Date.parse(leaf.validTo) < Date.now())
    throw untrusted(relay, `its certificate ended on ${leaf.validTo}`);
}

function canceled(): CmdopError {
  return new CmdopError("Canceled", "The connection attempt was canceled.");
}

function unreachable(relay: RelayTarget, why: string, cause?: unknown): CmdopError {
  const { host } = splitAddress(relay.address);
  return new CmdopError("RelayUnreachable", `The relay at ${relay.address} can't be reached: ${why}.`, {
    cause,
    // Only `cmdop up` makes keys of a relay that nobody else can reach.
    ...(LOOPBACK.has(host) ? { next: "It is this machine's own: run cmdop up." } : {}),
  });
}

function untrusted(relay: RelayTarget, why: string, cause?: unknown): CmdopError {
  return new CmdopError(
    "RelayUntrusted",
    `What answers at ${relay.address} is not relay ${relay.id}: ${why}.`,
    { cause },
  );
}
