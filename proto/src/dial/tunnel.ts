import { isIP, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { onAbort } from "@cmdop/kit";
import { printable } from "../visible.ts";
import type { HttpProxy } from "./proxy-settings.ts";
import { RelayFault, type RelayFaultKind } from "./relay-fault.ts";
import { dialTcp } from "./tcp.ts";

/** A proxy's answer to CONNECT with all its headers, in bytes: Squid's have some 300, and nobody needs more than this. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** Characters of a proxy's own words that are repeated. */
const MAX_WORDS = 80;

const LOGIN_NEXT =
  "Give user and password in the address: HTTPS_PROXY=http://user:password@proxy:3128, with %40 for @ and %3A for : in them.";

/**
 * A connection to a host through a proxy, by CONNECT. Nothing but the proxy's
 * answer has been read from it. Throws a RelayFault, or the signal's reason.
 */
export async function dialThrough(
  proxy: HttpProxy,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const tcp = await dialTcp(proxy.host, proxy.port, signal).catch((thrown) => {
    throw thrown instanceof RelayFault ? unreachable(proxy, thrown) : thrown;
  });
  const stopListening = onAbort(signal, () => tcp.destroy());
  try {
    const socket = proxy.isTls ? await secured(proxy, tcp) : tcp;
    await tunnel(proxy, socket, `${isIPv6(host) ? `[${host}]` : host}:${port}`);
    return socket;
  } catch (thrown) {
    tcp.destroy();
    throw signal.aborted ? signal.reason : thrown;
  } finally {
    stopListening();
  }
}

/** TLS to an https:// proxy, whose certificate one of Node's authorities or of NODE_EXTRA_CA_CERTS has issued. */
async function secured(proxy: HttpProxy, tcp: Socket): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const tls = connectTls({
    socket: tcp,
    host: proxy.host,
    ...(isIP(proxy.host) === 0 ? { servername: proxy.host } : {}),
  });
  tls.once("secureConnect", () => resolve(tls));
  tls.on("error", (error) => {
    const why = error.message.split("\n", 1)[0] ?? "";
    reject(
      fault(proxy, "proxy-untrusted", `TLS with the proxy ${proxy.address} failed: ${words(why)}`, {
        next: "Use http:// for a proxy that speaks no TLS itself; for one with an authority of your own set NODE_EXTRA_CA_CERTS.",
        cause: error,
      }),
    );
  });
  tls.once("close", () => reject(closed(proxy)));
  return promise;
}

/** Asks for the tunnel and reads the answer, whose end is the end of what is read. */
async function tunnel(proxy: HttpProxy, socket: Socket, target: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const onReadable = (): void => {
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read()) {
      answer += chunk.toString("latin1");
      if (answer.includes("\r\n\r\n")) resolve(answer);
      else if (answer.length > MAX_ANSWER_BYTES || !couldBeHttp(answer)) reject(foreign(proxy, answer));
    }
  };
  const onClose = (): void => reject(answer === "" ? closed(proxy) : foreign(proxy, answer));
  socket.on("readable", onReadable);
  socket.once("close", onClose);
  socket.once("end", onClose);
  const login = proxy.authorization === undefined ? "" : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`);
  try {
    judge(proxy, target, await promise);
  } finally {
    socket.off("readable", onReadable);
    socket.off("close", onClose);
    socket.off("end", onClose);
  }
}

/** Throws unless an answer says that the tunnel is there. */
function judge(proxy: HttpProxy, target: string, answer: string): void {
  const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
  const behind = answer.slice(head.length + 4);
  const [, status, phrase = ""] = /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
  if (status === undefined) throw foreign(proxy, answer);
  const said = `the proxy ${proxy.address} answers ${words(`${status} ${phrase}`.trim())}`;
  if (status.startsWith("2")) {
    // A relay speaks second: whoever sends at once has opened no tunnel to one.
    if (behind !== "") throw foreign(proxy, behind);
    return;
  }
  if (status === "407") throw loginFault(proxy, head);
  if (status === "403") {
    throw fault(proxy, "proxy-forbids", `${said}: its rules forbid a connection to ${target}`, {
      next: `Ask whoever runs the proxy to allow CONNECT to ${target}. Many allow port 443 only: a relay can listen there.`,
    });
  }
  if (status.startsWith("5") && status !== "501" && status !== "505") {
    throw fault(proxy, "proxy-cannot-reach", `${said}: it can't reach ${target}`, {
      next: "Check that the relay runs and that its address means the same where the proxy is; a relay in your own network belongs into NO_PROXY.",
    });
  }
  throw foreign(proxy, answer);
}

function loginFault(proxy: HttpProxy, head: string): RelayFault {
  const schemes = [...head.matchAll(/^proxy-authenticate:\s*([\w-]+)/gim)].map(([, scheme = ""]) => scheme);
  if (schemes.length > 0 && !schemes.some((scheme) => scheme.toLowerCase() === "basic")) {
    const wanted = words(schemes.join(", "));
    return fault(
      proxy,
      "proxy-login",
      `the proxy ${proxy.address} wants a login by ${wanted} (407), and cmdop knows Basic only`,
      {
        next: "Ask whoever runs the proxy for Basic, or for an exception without a login; or run a proxy of your own here that logs in to it (such as cntlm or px).",
      },
    );
  }
  const why =
    proxy.authorization === undefined
      ? "wants a user and password"
      : "refuses the user and password that it was given";
  return fault(proxy, "proxy-login", `the proxy ${proxy.address} ${why} (407)`, { next: LOGIN_NEXT });
}

/** Returns true if a text can still become an answer of HTTP/1. */
function couldBeHttp(answer: string): boolean {
  const start = "HTTP/1.";
  return answer.length < start.length ? start.startsWith(answer) : answer.startsWith(start);
}

function foreign(proxy: HttpProxy, answer: string): RelayFault {
  const isPage = /<!doctype|<html|content-type:\s*text\/html/i.test(answer);
  const line = answer.split(/\r?\n/, 1)[0] ?? "";
  const what = isPage ? "a web page" : "what no proxy says";
  return fault(
    proxy,
    "proxy-foreign",
    `what answers at the proxy's address ${proxy.address} sends ${what} (${words(line)})`,
    {
      next: "Check HTTPS_PROXY: this is a web server, a portal that wants a login in a browser, or another service, and opens no connections by CONNECT.",
    },
  );
}

function unreachable(proxy: HttpProxy, { message, cause }: RelayFault): RelayFault {
  return fault(proxy, "proxy-unreachable", `the proxy ${proxy.address} can't be reached: ${message}`, {
    next: "Check HTTPS_PROXY and that the proxy runs; without a proxy, unset it, or except the relay by NO_PROXY.",
    cause,
  });
}

function closed(proxy: HttpProxy): RelayFault {
  return fault(proxy, "proxy-foreign", `the proxy ${proxy.address} closed the connection without an answer`, {
    next: "Check the port in HTTPS_PROXY, and whether the proxy speaks TLS itself (https://) or not (http://).",
  });
}

function fault(
  proxy: HttpProxy,
  kind: RelayFaultKind,
  message: string,
  options: { next: string; cause?: unknown },
): RelayFault {
  return new RelayFault(kind, message, { ...options, proxy: proxy.address });
}

/** A stranger's words on one line, without anything that could mislead. */
function words(text: string): string {
  return printable(text.slice(0, MAX_WORDS));
}
