import { isExcepted, isHere } from "./no-proxy.ts";
import { RelayFault } from "./relay-fault.ts";

/** Variables that name the proxy, the first that is set wins. HTTP_PROXY is for plain HTTP, which cmdop never speaks. */
const PROXY_VARIABLES = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;

/** Variables that except hosts from it. */
const NO_PROXY_VARIABLES = ["no_proxy", "NO_PROXY"] as const;

/** Everything that a service needs to take over, so that it dials as the one who installs it. */
export const PROXY_ENVIRONMENT: readonly string[] = [...PROXY_VARIABLES, ...NO_PROXY_VARIABLES];

/** Ports of proxies whose address names none. */
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** A proxy that connects by CONNECT. */
export interface HttpProxy {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** `http://host:port` for people: without user and password. */
  readonly address: string;
  /** The value of Proxy-Authorization, a secret; undefined where the address has no user. */
  readonly authorization: string | undefined;
}

/** Variables of a process, as process.env has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for a host; undefined for the direct way.
 * This machine itself is never reached by a proxy.
 * @throws RelayFault "proxy-setting" where the variable can't be read; it never repeats the value, which may hold a password
 */
export function proxyFor(host: string, port: number, environment: Environment): HttpProxy | undefined {
  const variable = PROXY_VARIABLES.find((name) => environment[name]?.trim());
  const value = variable === undefined ? undefined : environment[variable]?.trim();
  if (variable === undefined || value === undefined) return undefined;
  const noProxy = NO_PROXY_VARIABLES.map((name) => environment[name]).find((text) => text?.trim()) ?? "";
  if (isHere(host) || isExcepted(noProxy, host, port)) return undefined;
  return parseProxy(variable, value);
}

function parseProxy(variable: string, value: string): HttpProxy {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    throw unreadable(
      variable,
      `it begins with ${scheme}://, and only http:// and https:// proxies are known`,
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A slash in a password ends the host before its @, and the proxy would be the user's name.
  if (url === undefined || /@/.test(url.pathname + url.search + url.hash)) {
    throw unreadable(variable, "it is not an address such as http://user:password@proxy.example.com:3128");
  }
  const { hostname, port, username, password } = url;
  const host = hostname.replace(/^\[|\]$/g, "");
  const number = port === "" ? DEFAULT_PORTS[scheme] : Number(port);
  return {
    isTls: scheme === "https",
    host,
    port: number,
    address: `${scheme}://${hostname}:${number}`,
    authorization: username === "" && password === "" ? undefined : basic(variable, username, password),
  };
}

function basic(variable: string, username: string, password: string): string {
  const user = decoded(variable, username);
  if (user.includes(":"))
    throw unreadable(variable, "its user has a colon, which no proxy can tell from the password's");
  return `Basic ${Buffer.from(`${user}:${decoded(variable, password)}`).toString("base64")}`;
}

function decoded(variable: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause;
    // The cause would repeat a part of the password.
    throw unreadable(variable, "a % in its user or password is not followed by two hexadecimal digits");
  }
}

function unreadable(variable: string, why: string): RelayFault {
  return new RelayFault("proxy-setting", `the proxy in ${variable} can't be read: ${why}`, {
    next: `Correct ${variable}, with %40 for @, %3A for :, %2F for /, %23 for # and %25 for % in user and password; or except the relay from it with NO_PROXY.`,
  });
}
