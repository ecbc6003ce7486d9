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

/** Longest path of a unix socket, in bytes without the final NUL: 107 on Linux, 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** Local connections at once. Each program that uses the socket holds up to three. */
const MAX_LOCAL_CONNECTIONS = 256;

/** The unix socket on which callers of this machine reach the agent. */
export interface LocalDoor {
  readonly socketPath: string;
  /** Tries again to make the socket if that failed before; returns true if it is open. */
  retry(): boolean;
  close(): Promise<void>;
}

/** Options of the local door. */
export interface LocalDoorOptions {
  /** Called with each call that arrives. */
  readonly watch?: WatchCall | undefined;
  /** Time for open calls to end at `close`, in milliseconds. Default: LEAVE_WITHIN_MS. */
  readonly leaveWithinMs?: number | undefined;
  /**
   * Called if the disk prevents the socket for now; see LocalDoor.retry. Without it, `openLocalDoor` throws.
   */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/**
 * Opens the local door. Its credential is mode 0600 in a directory of mode 0700. The socket of a dead agent
 * is replaced; that of a live agent is not.
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
    // The lane of a connection is not announced here; callers keep uploads and downloads on separate
    // connections.
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

/**
 * Listens on the socket.
 * @throws CmdopError AlreadyExists if another agent listens there, or the error of the disk
 */
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
  // Only a refused connection means that nobody listens; any other error may come from a live agent that is
  // busy.
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
