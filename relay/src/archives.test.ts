import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import os from "node:os";
import path from "node:path";
import { generateKeyPair, MANIFEST_FILE, PROTOCOL, signManifest } from "@cmdop/proto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Relay } from "./relay.ts";

const ARCHIVE = Buffer.from("an archive");

let directory: string;
let relay: Relay;

function artefact(file: string, content: Buffer) {
  return { file, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-archives-"));
  const manifest = await signManifest(
    {
      product: "cmdop",
      version: "1.2.3",
      commit: "0".repeat(40),
      committedAt: 0,
      protocol: PROTOCOL,
      installer: artefact("install.sh", ARCHIVE),
      archives: { "linux-x64": artefact("a.tar.gz", ARCHIVE) },
    },
    generateKeyPair(),
  );
  await writeFile(path.join(directory, MANIFEST_FILE), manifest);
  await writeFile(path.join(directory, "a.tar.gz"), ARCHIVE);
  await writeFile(path.join(directory, "secret"), "not for strangers");
  relay = new Relay({
    stateDir: path.join(directory, "relay"),
    ownerPublicKey: generateKeyPair().publicKey,
    archivesDir: directory,
  });
  await relay.listen();
});

afterAll(async () => {
  await relay.shutdown();
  await rm(directory, { recursive: true });
});

/** Sends these bytes and returns all that comes back. */
function answerTo(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(relay.port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
    socket.write(text);
  });
}

it("a release's files can be fetched in plain HTTP from the relay's one port", async () => {
  const answer = await answerTo("GET /release/a.tar.gz HTTP/1.0\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toMatch(/\r\n\r\nan archive$/);
  expect(await answerTo("HEAD /release/a.tar.gz HTTP/1.0\r\n\r\n")).toMatch(/content-length: 10\r\n/i);
});

it.each([
  "GET /release/secret",
  "GET /release/../archives/secret",
  "GET /release/relay/relay.db",
  "GET /release/",
  "GET /",
  "POST /release/a.tar.gz",
])("nothing else can: %s", async (asked) => {
  const answer = await answerTo(`${asked} HTTP/1.0\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  expect(answer).not.toContain("strangers");
});

it("what is neither TLS nor HTTP is closed", async () => {
  expect(await answerTo("\0\0\0\0\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 |^$/);
});

it("a directory without a release is refused before the relay listens", async () => {
  const wrong = new Relay({
    stateDir: path.join(directory, "other"),
    ownerPublicKey: generateKeyPair().publicKey,
    archivesDir: path.join(directory, "relay"),
  });
  await expect(wrong.listen()).rejects.toMatchObject({ code: "InvalidArgument" });
});
