import { createSecureServer } from "node:http2";
import { Readable } from "node:stream";
import { testAuthority, testLeaf } from "./certificates.ts";
import { portOf } from "./loopback.ts";

/** So much may be under way to it, far more than the kernel takes. */
const WINDOW_BYTES = 8 * 1024 * 1024;

/** Run as a process of its own: an HTTP/2 server over TLS that streams without end, or with `sink` takes all that comes, for a test to kill. Prints its port. */
const server = createSecureServer({
  ...testLeaf(testAuthority()),
  settings: { initialWindowSize: WINDOW_BYTES },
});
server.on("session", (session) => session.setLocalWindowSize(WINDOW_BYTES));
server.on("stream", (stream) => {
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200 });
  if (process.argv[2] === "sink") stream.resume();
  else Readable.from(endless()).pipe(stream);
});
server.listen(0, "127.0.0.1", () => console.log(portOf(server)));
// A test that dies must not leave us behind.
process.stdin.on("end", () => process.exit()).resume();

function* endless(): Generator<Uint8Array> {
  for (;;) yield new Uint8Array(64 * 1024);
}
