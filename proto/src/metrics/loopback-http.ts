import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { CmdopError } from "../errors/cmdop-error.ts";

/** Connections at once: a probe needs one. */
const MAX_CONNECTIONS = 64;

/** A probe that takes longer to ask, in milliseconds, is none. */
const REQUEST_TIMEOUT_MS = 5_000;

/** The page at a path. It is made anew for every request. */
export interface Page {
  readonly type: string;
  readonly body: () => string;
}

/** Pages on loopback, in plain HTTP, for whoever watches this process. */
export class LoopbackHttp {
  readonly #server: Server;

  /** `pages`: by their paths. */
  constructor(pages: Readonly<Record<string, Page>>) {
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => {
        const isReading = request.method === "GET" || request.method === "HEAD";
        const url = request.url ?? "";
        const page = isReading && Object.hasOwn(pages, url) ? pages[url] : undefined;
        const type = page?.type ?? "application/json";
        response.writeHead(page === undefined ? 404 : 200, { "content-type": type, connection: "close" });
        response.end(page?.body() ?? `{"error":"only GET ${Object.keys(pages).join(", ")}"}\n`);
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves with the port. `what`: what the port is for. @throws CmdopError InvalidArgument where it can't be had */
  async listen(port: number, what: string): Promise<number> {
    this.#server.listen({ host: "127.0.0.1", port });
    try {
      await once(this.#server, "listening");
    } catch (cause) {
      throw new CmdopError(
        "InvalidArgument",
        `The ${what} port ${port} can't be listened on: ${String(cause)}.`,
        {
          next: "Choose another port, or end what uses it.",
          cause,
        },
      );
    }
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
