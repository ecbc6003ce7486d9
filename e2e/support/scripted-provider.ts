import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

/** A call of the model, as the server got it. */
export interface ProviderCall {
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The body, as text. */
  readonly said: string;
}

/** A refusal, whatever the protocol. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

/** A server that answers in a provider's own protocol, one scripted turn a call. */
export class ScriptedProvider<Turn extends object> implements AsyncDisposable {
  readonly calls: ProviderCall[] = [];
  readonly #server: Server;
  readonly #script: (Turn | Refusal)[];

  /** `send` speaks the protocol: it writes the turn as the events of a stream, and ends the response. */
  constructor(script: readonly (Turn | Refusal)[], send: (response: ServerResponse, turn: Turn) => void) {
    this.#script = [...script];
    this.#server = createServer(async (request, response) => {
      const said = (await buffer(request)).toString();
      this.calls.push({ url: request.url ?? "", headers: request.headers, said });
      const turn = this.#script.shift() ?? { status: 400, body: { error: "the script has come to its end" } };
      if (isRefusal(turn)) {
        response.writeHead(turn.status, { "content-type": "application/json", ...turn.headers });
        response.end(JSON.stringify(turn.body));
      } else {
        response.writeHead(200, { "content-type": "text/event-stream" });
        send(response, turn);
      }
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** Its address, without a path. */
  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function isRefusal(turn: object): turn is Refusal {
  return "status" in turn && "body" in turn;
}
