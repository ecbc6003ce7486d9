import { createSecureServer } from "node:http2";
import { Readable } from "node:stream";
import { testAuthority, testLeaf } from "./certificates.ts";
import { portOf } from "./loopback.ts";

/** Run as a process of its own: an HTTP/2 server over TLS that streams without end, for a test to kill. Prints its port. */
const server = createSecureServer(testLeaf(testAuthority()));
server.on("stream", (stream) => {
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200 });
  Readable.from(endless()).pipe(stream);
});
server.listen(0, "127.0.0.1", () => console.log(portOf(server)));
// A test that dies must not leave us behind.
process.stdin.on("end", () => process.exit()).resume();

function* endless(): Generator<Uint8Array> {
  for (;;) yield new Uint8Array(64 * 1024);
}
