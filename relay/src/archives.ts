import { open, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { errnoOf, isErrno } from "@cmdop/kit";
import { CmdopError, MANIFEST_FILE, readManifest } from "@cmdop/proto";
import type { Log } from "./log.ts";

/** Where files of the release are, as the address says it. */
export const RELEASE_PATH = "/release/";

/** Downloads at once: a fleet that is installed waits in the installer, which is told to come back. Each holds some 128 KiB. */
const MAX_DOWNLOADS = 64;

/** Time for an archive of 45 MB on a line of 100 kB/s, in milliseconds: whoever is slower gives its place to others. */
const MAX_DOWNLOAD_MS = 450_000;

/** A request that takes longer to ask, in milliseconds, is none. */
const REQUEST_TIMEOUT_MS = 5_000;

/** A manifest has some 800 bytes, and no more than a statement may have. */
const MAX_MANIFEST_BYTES = 16 * 1024;

/**
 * The release that the relay's operator has put into a directory, for machines
 * that have no cmdop yet: in plain HTTP, since some of them have nothing that
 * speaks TLS. Nothing in it is secret, and nobody trusts it for where it comes
 * from: the line of `cmdop join-token` has the hash of the installer, which has
 * those of the archives. Only files that the manifest names are served.
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

  /** @throws CmdopError InvalidArgument where the directory has no release. */
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
