import { randomUUID } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";

/** Connections that have not said yet what they are for: no more than starts under way, each with three ends. */
const MAX_UNKNOWN = 64;

/** The length of a token: a UUID's. */
const TOKEN_BYTES = 36;

/** An end of a process that is a socket. */
export interface SocketEnd {
  /** What the spawner says when it connects. */
  readonly token: string;
  /** Our end, as soon as the spawner has made it. Never rejects; stays pending where nothing comes of it. */
  readonly ours: Promise<Socket>;
  /** It is not needed any more. */
  forget(): void;
}

/**
 * Where the spawner makes sockets between a process and the agent: for input
 * that stays open, since a FIFO whose writer has closed blocks whoever opens it
 * by name, and Node can't make a pipe. A name that only Linux has, of no file;
 * whoever finds it has no token.
 */
export class SocketDoor {
  readonly name = `cmdop-agent-${randomUUID()}`;
  readonly #server: Server;
  readonly #expected = new Map<string, (socket: Socket) => void>();

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#enter(socket),
    );
    this.#server.maxConnections = MAX_UNKNOWN;
  }

  /** A socket that is about to come. */
  expect(): SocketEnd {
    if (!this.#server.listening) this.#server.listen(`\0${this.name}`).unref();
    const token = randomUUID();
    const { promise, resolve } = Promise.withResolvers<Socket>();
    this.#expected.set(token, resolve);
    return { token, ours: promise, forget: () => this.#expected.delete(token) };
  }

  close(): void {
    this.#expected.clear();
    if (this.#server.listening) this.#server.close();
  }

  #enter(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const look = (): void => {
      const token: unknown = socket.read(TOKEN_BYTES);
      if (token === null) return;
      socket.off("readable", look);
      const take = this.#expected.get(String(token));
      this.#expected.delete(String(token));
      if (take === undefined) socket.destroy();
      else take(socket);
    };
    socket.on("readable", look);
  }
}
