import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram } from "./run-program.ts";

const SSHD = "/usr/sbin/sshd";

/** Why a row has no figure of ssh's. */
export const NO_SSHD = "sshd not installed";

/** From its start to the first accepted connection, in milliseconds. */
const START_TIMEOUT_MS = 10_000;

/** Sessions over one connection: more than any suite has in flight. */
const MAX_SESSIONS = 200;

/** Puts something between clients and the server. */
type Through = (target: string) => Promise<AsyncDisposable & { readonly port: number }>;

/**
 * OpenSSH, the peer that everybody knows: its own sshd on loopback as the
 * current user, with its own keys and configuration in a temporary directory.
 * `warm` goes over a ControlMaster that is up, `cold` makes a connection each time.
 */
export class Sshd implements AsyncDisposable {
  readonly #directory: string;
  readonly #port: number;
  readonly #server: ChildProcess;
  /** What clients go through. */
  readonly #rest: AsyncDisposable;

  private constructor(directory: string, port: number, server: ChildProcess, rest: AsyncDisposable) {
    this.#rest = rest;
    this.#directory = directory;
    this.#port = port;
    this.#server = server;
  }

  /** A running sshd with its ControlMaster up; undefined where OpenSSH is not installed. */
  static async start({ through }: { through?: Through } = {}): Promise<Sshd | undefined> {
    if (!existsSync(SSHD)) return undefined;
    const directory = await mkdtemp(path.join(tmpdir(), "cmdop-sshd-"));
    const port = await freePort();
    await using undo = new AsyncDisposableStack();
    const proxy = through === undefined ? undefined : undo.use(await through(`127.0.0.1:${port}`));
    await writeConfiguration(directory, port, proxy?.port ?? port);
    // As root it insists on this empty directory, which its service would have made.
    if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
    const server = spawn(SSHD, ["-D", "-e", "-f", path.join(directory, "sshd_config")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const sshd = new Sshd(directory, port, server, undo.move());
    try {
      await sshd.#accepting();
      await runProgram("ssh", [...sshd.#options("yes"), "-o", "ControlPersist=yes", "-fN", "bench"]);
      return sshd;
    } catch (error) {
      await sshd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a command line over the ControlMaster. */
  warm(command: string): Promise<void> {
    return runProgram("ssh", [...this.#options("no"), "bench", command]);
  }

  /** Runs a command line over a new connection. */
  cold(command: string): Promise<void> {
    return runProgram("ssh", [...this.#options("no"), "-S", "none", "bench", command]);
  }

  /** Runs a command line over a new connection through a jump: this same sshd, twice. */
  jumped(command: string): Promise<void> {
    return runProgram("ssh", [...this.#options("no"), "-S", "none", "-J", "bench", "bench", command]);
  }

  /** Writes a file into a command's input over the ControlMaster. */
  warmFrom(file: string, command: string): Promise<void> {
    const ssh = ["ssh", ...this.#options("no"), "bench", command].map((word) => `'${word}'`).join(" ");
    return runProgram("sh", ["-c", `${ssh} < '${file}'`]);
  }

  /** Copies a file or directory there with scp, over a new connection. */
  copy(source: string, destination: string): Promise<void> {
    return runProgram("scp", [
      ...["-q", "-r", "-F", path.join(this.#directory, "ssh_config"), "-o", "ControlPath=none"],
      source,
      `bench:${destination}`,
    ]);
  }

  /** Gets a file with sftp, over a new connection. */
  fetch(source: string, destination: string): Promise<void> {
    return runProgram("sftp", [
      ...["-q", "-F", path.join(this.#directory, "ssh_config"), "-o", "ControlPath=none"],
      `bench:${source}`,
      destination,
    ]);
  }

  /**
   * Runs a command line in a terminal; what is typed and shown goes through
   * pipes. Over a connection of its own: a ControlMaster would pass on the modes
   * of a local terminal, which there is none.
   */
  terminal(command: string): ChildProcessByStdio<Writable, Readable, null> {
    return spawn("ssh", [...this.#options("no"), "-S", "none", "-tt", "bench", command], {
      stdio: ["pipe", "pipe", "ignore"],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#server;
    if (exitCode === null && signalCode === null) {
      const ended = once(this.#server, "exit");
      if (existsSync(path.join(this.#directory, "control"))) {
        await runProgram("ssh", [...this.#options("no"), "-O", "exit", "bench"]);
      }
      this.#server.kill("SIGTERM");
      await ended;
    }
    await this.#rest[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #options(controlMaster: "yes" | "no"): string[] {
    return ["-F", path.join(this.#directory, "ssh_config"), "-o", `ControlMaster=${controlMaster}`];
  }

  async #accepting(): Promise<void> {
    const said: Buffer[] = [];
    this.#server.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
    for (
      const deadline = performance.now() + START_TIMEOUT_MS;
      performance.now() < deadline;
      await delay(20)
    ) {
      if (this.#server.exitCode !== null) break;
      if (await accepts(this.#port)) return;
    }
    throw new Error(`sshd does not start:\n${Buffer.concat(said)}`);
  }
}

async function writeConfiguration(directory: string, port: number, clientPort: number): Promise<void> {
  const file = (name: string): string => path.join(directory, name);
  for (const name of ["host_key", "user_key"]) {
    await runProgram("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  }
  await writeFile(file("authorized_keys"), await readFile(file("user_key.pub")), { mode: 0o600 });
  await writeFile(
    file("known_hosts"),
    `[127.0.0.1]:${clientPort} ${await readFile(file("host_key.pub"), "utf8")}`,
  );
  await writeFile(
    file("sshd_config"),
    [
      "ListenAddress 127.0.0.1",
      `Port ${port}`,
      `HostKey ${file("host_key")}`,
      `AuthorizedKeysFile ${file("authorized_keys")}`,
      "PidFile none",
      "UsePAM no",
      "StrictModes no",
      // An empty home: what this machine's shells read at their start is not ssh's to answer for.
      `SetEnv HOME=${directory}`,
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "Subsystem sftp internal-sftp",
      `MaxSessions ${MAX_SESSIONS}`,
      `MaxStartups ${MAX_SESSIONS}`,
      "LogLevel ERROR",
      "",
    ].join("\n"),
  );
  await writeFile(
    file("ssh_config"),
    [
      "Host bench",
      "HostName 127.0.0.1",
      `Port ${clientPort}`,
      `User ${userInfo().username}`,
      `IdentityFile ${file("user_key")}`,
      "IdentitiesOnly yes",
      `UserKnownHostsFile ${file("known_hosts")}`,
      "BatchMode yes",
      "LogLevel ERROR",
      `ControlPath ${file("control")}`,
      "",
    ].join("\n"),
  );
}

/** sshd can't choose a port itself, so there is a moment in which somebody else could take this one. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new TypeError("not listening on TCP");
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
