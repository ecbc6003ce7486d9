import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type OnReadOpts, Socket } from "node:net";
import { join } from "node:path";
import { SCRATCH_DIRECTORY } from "../scratch.ts";

/** Two ends of one connection. */
export interface SocketPair {
  readonly ours: Socket;
  /** To be handed to a child, and destroyed then. */
  readonly theirs: Socket;
}

/**
 * Two connected sockets; `onread`: how ours is read. Node's own pipes to a child can't be read into memory
 * of our choice, which takes half as much work again.
 */
export async function socketPair(onread: OnReadOpts): Promise<SocketPair> {
  const directory = await mkdtemp(join(SCRATCH_DIRECTORY, "cmdop-files-"));
  const path = join(directory, "socket");
  const server = createServer({ pauseOnConnect: true });
  try {
    server.listen(path);
    await once(server, "listening");
    const accepted = once(server, "connection");
    const ours = connect({ path, onread });
    const [theirs]: unknown[] = await accepted;
    if (!(theirs instanceof Socket)) throw new TypeError("a connection without a socket");
    return { ours, theirs };
  } finally {
    server.close();
    await rm(directory, { recursive: true });
  }
}
