import { chmod, unlink } from "node:fs/promises";
import net from "node:net";
import {
  CmdopError,
  diskError,
  isDiskTrouble,
  LANE_WINDOWS,
  LEAVE_WITHIN_MS,
  localSocketPath,
  RpcServer,
  type WatchCall,
} from "@cmdop/proto";

/** The longest path of a unix socket, on Linux less its final NUL; macOS has 103. */
const MAX_SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** Local connections at once: each program that uses the socket holds up to three. */
const MAX_LOCAL_CONNECTIONS = 256;

/** The unix socket on which callers of this machine reach the agent. */
export interface LocalDoor {
  readonly socketPath: string;
  /** Begins to make the socket where that was not possible; true where it is there. */
  retry(): boolean;
  close(): Promise<void>;
}

/** What may differ from the ordinary. */
export interface LocalDoorOptions {
  /** Is told of each call that arrives. */
  readonly watch?: WatchCall | undefined;
  /** As LEAVE_WITHIN_MS. */
  readonly leaveWithinMs?: number | undefined;
  /** Told of a disk on which no socket can be made now; see LocalDoor.retry. Without it that throws. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/**
 * Opens the local door: mode 0600 in a directory of mode 0700 is its credential.
 * A socket that a dead agent left is replaced; a live agent's is not.
 */
export async function openLocalDoor(
  stateDir: string,
  addServices: (server: RpcServer) => void,
  { watch, leaveWithinMs = LEAVE_WITHIN_MS, onTrouble }: LocalDoorOptions = {},
): Promise<LocalDoor> {
  const socketPath = localSocketPath(stateDir);
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new CmdopError("InvalidArgument", `The path of the local socket is too long: ${socketPath}.`, {
      next: `Choose a shorter CMDOP_HOME: a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes.`,
    });
  }
  const server = new RpcServer(watch);
  addServices(server);
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Which lane this is to be nobody says; callers keep content that comes apart from content that goes.
    server.accept(socket, LANE_WINDOWS.upload.toMachine);
  });
  listener.maxConnections = MAX_LOCAL_CONNECTIONS;
  let opening: Promise<void> | undefined;
  let isClosing = false;
  const open = async (): Promise<void> => {
    try {
      await listenOn(listener, socketPath);
    } catch (thrown) {
      if (!isDiskTrouble(thrown) || onTrouble === undefined) throw thrown;
      onTrouble(thrown);
    }
  };
  await open();
  return {
    socketPath,
    retry() {
      if (!listener.listening && !isClosing) {
        opening ??= open()
          .catch((thrown) => onTrouble?.(thrown))
          .finally(() => {
            opening = undefined;
          });
      }
      return listener.listening;
    },
    async close() {
      isClosing = true;
      await opening;
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      server.drain();
      const throwOut = setTimeout(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
      }, leaveWithinMs);
      await closed;
      clearTimeout(throwOut);
    },
  };
}

/** @throws CmdopError AlreadyExists where another agent listens, or what the disk says */
async function listenOn(listener: net.Server, socketPath: string): Promise<void> {
  await removeDeadSocket(socketPath);
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(socketPath, () => {
        listener.off("error", reject);
        resolve();
      });
    });
    await chmod(socketPath, 0o600);
  } catch (thrown) {
    throw diskError(thrown, "make", socketPath);
  }
}

async function removeDeadSocket(socketPath: string): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    const probe = net.connect(socketPath);
    probe.once("connect", () => {
      probe.destroy();
      resolve("live");
    });
    probe.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
  });
  if (answer === "ENOENT") return;
  // Only a refusal says that nobody listens; anything else may be a live agent that is busy.
  if (answer === "ECONNREFUSED") {
    await unlink(socketPath).catch((thrown) => {
      throw diskError(thrown, "replace", socketPath);
    });
    return;
  }
  throw new CmdopError("AlreadyExists", `An agent is running already: ${socketPath} is in use (${answer}).`, {
    next: "Stop it first, or give this one a CMDOP_HOME of its own.",
  });
}
