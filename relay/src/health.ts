import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { CmdopError } from "@cmdop/proto";

/** Connections at once: a probe needs one. */
const MAX_CONNECTIONS = 64;

/** A probe that takes longer to ask, in milliseconds, is none. */
const REQUEST_TIMEOUT_MS = 5_000;

/** `/healthz` on loopback, in plain HTTP, for whoever watches this process. It says numbers and no names. */
export class Health {
  readonly #server: Server;

  /** `report`: what to say, at every request. */
  constructor(report: () => object) {
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => {
        const isKnown = request.url === "/healthz" && (request.method === "GET" || request.method === "HEAD");
        response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json", connection: "close" });
        response.end(isKnown ? `${JSON.stringify(report())}\n` : '{"error":"only GET /healthz"}\n');
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves with the port. */
  async listen(port: number): Promise<number> {
    this.#server.listen({ host: "127.0.0.1", port });
    try {
      await once(this.#server, "listening");
    } catch (thrown) {
      throw new CmdopError(
        "InvalidArgument",
        `The health port ${port} can't be listened on: ${String(thrown)}.`,
        {
          next: "Choose another port, or end what uses it.",
          cause: thrown,
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
