import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type OnReadOpts, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Memory rather than disk, where there is such a place: a disk that is full or read-only takes no socket. */
const DIRECTORY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

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
  const directory = await mkdtemp(join(DIRECTORY, "cmdop-files-"));
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
