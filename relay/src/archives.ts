import { open, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { errnoOf, isErrno } from "@cmdop/kit";
import { CmdopError, MANIFEST_FILE, readManifest } from "@cmdop/proto";
import type { Log } from "./log.ts";

/** Path prefix of the release's files. */
export const RELEASE_PATH = "/release/";

/**
 * Most downloads at once, each of about 128 KiB. When a fleet is installed, the installers beyond it are told
 * to come back and wait.
 */
const MAX_DOWNLOADS = 64;

/**
 * Longest download, in milliseconds: enough for 45 MB on a line of 100 kB/s. A slower one makes room for
 * others.
 */
const MAX_DOWNLOAD_MS = 450_000;

/** Longest time for sending a request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Most bytes of a manifest, which are those of a statement; a usual one has about 800. */
const MAX_MANIFEST_BYTES = 16 * 1024;

/**
 * The release in a directory of the relay's operator, for machines that have no cmdop yet. It is served in
 * plain HTTP, because some of them have no program that speaks TLS. Nothing in it is secret, and its origin
 * is not trusted: the line of `cmdop join-token` has the hash of the installer, which has those of the
 * archives. Only files that the manifest names are served.
 */
export class Archives {
  readonly #directory: string;
  readonly #log: Log;
  readonly #server: Server;
  #downloads = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 1 },
      (request, response) => {
        this.#answer(request, response).catch((thrown) => {
          if (errnoOf(thrown) === undefined) log.error("a download failed", { message: String(thrown) });
          response.destroy();
        });
      },
    );
  }

  /** Checks that the directory has a release. @throws CmdopError InvalidArgument where it has none */
  async check(): Promise<void> {
    const { version } = await this.#manifest();
    this.#log.info("archives are served", { directory: this.#directory, version });
  }

  /** Takes a connection whose first byte is not one of TLS. */
  accept(raw: Socket): void {
    raw.setTimeout(MAX_DOWNLOAD_MS, () => raw.destroy());
    this.#server.emit("connection", raw);
  }

  async #manifest(): Promise<ReturnType<typeof readManifest>> {
    const file = path.join(this.#directory, MANIFEST_FILE);
    try {
      return readManifest((await readFile(file, "utf8")).slice(0, MAX_MANIFEST_BYTES));
    } catch (thrown) {
      throw new CmdopError("InvalidArgument", `${this.#directory} has no release: ${String(thrown)}`, {
        next: "Give the directory that npm run release has made, with its manifest.jws.",
        cause: thrown,
      });
    }
  }

  async #answer({ method, url = "" }: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("connection", "close");
    const name = url.startsWith(RELEASE_PATH) ? url.slice(RELEASE_PATH.length) : "";
    const { installer, archives } = await this.#manifest();
    const named = [MANIFEST_FILE, installer.file, ...Object.values(archives).map(({ file }) => file)];
    if (!named.includes(name) || (method !== "GET" && method !== "HEAD")) {
      response.writeHead(404).end(`There is ${named.map((file) => RELEASE_PATH + file).join(", ")}.\n`);
      return;
    }
    if (this.#downloads >= MAX_DOWNLOADS) {
      response.writeHead(503, { "retry-after": "30" }).end("Too many downloads at once; try again.\n");
      return;
    }
    this.#downloads += 1;
    const tooSlow = AbortSignal.timeout(MAX_DOWNLOAD_MS);
    try {
      await using file = await open(path.join(this.#directory, name));
      const { size } = await file.stat();
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
      if (method === "HEAD") response.end();
      else await pipeline(file.createReadStream({ autoClose: false }), response, { signal: tooSlow });
    } catch (thrown) {
      if (isErrno(thrown, "ENOENT") && !response.headersSent) response.writeHead(404).end();
      else throw thrown;
    } finally {
      this.#downloads -= 1;
    }
  }
}
