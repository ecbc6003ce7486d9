import { request } from "node:http";
import { CmdopError, MANIFEST_FILE, openJoinToken, splitAddress, verifyManifest } from "@cmdop/proto";
import { BUILD } from "../build-info.ts";

/** Longest wait for a relay's manifest, in milliseconds. */
const MANIFEST_TIMEOUT_MS = 5_000;

/** A manifest has some 800 bytes, and no more than a statement may have. */
const MAX_MANIFEST_BYTES = 16 * 1024;

/**
 * The line that installs cmdop on a machine and joins it: for any shell, with
 * curl or wget. The installer's hash in it comes from a manifest that the release
 * key has signed, so neither the relay nor the way to it can put in another.
 * The key is built into a released cmdop; from source, CMDOP_RELEASE_KEY names it.
 * @throws CmdopError where the relay serves no release, or one that others signed
 */
export async function installLine(token: string): Promise<string> {
  const releaseKey = BUILD.releaseKey ?? process.env.CMDOP_RELEASE_KEY;
  if (releaseKey === undefined) {
    throw new CmdopError("NotFound", "This cmdop runs from source and knows no release key.", {
      next: "Use a released cmdop, or set CMDOP_RELEASE_KEY to the release key's public half.",
    });
  }
  const { relay } = await openJoinToken(token);
  const place = `http://${relay.address}/release`;
  const { installer } = await verifyManifest(await fetchManifest(relay.address), releaseKey);
  const script = `${place}/${installer.file}`;
  return [
    `f=$(mktemp)`,
    `{ curl -fsSo "$f" ${script} 2>/dev/null || wget -qO "$f" ${script} 2>/dev/null || ${byBash(relay.address, installer.file)}; }`,
    `echo "${installer.sha256}  $f" | sha256sum -c >/dev/null`,
    `printf '%s\\n' '${token}' | sh "$f" --join ${place}`,
  ].join(" && ");
}

/** For a bare Debian, which has neither curl nor wget. */
function byBash(address: string, file: string): string {
  const { host, port } = splitAddress(address);
  const ask = `printf "GET /release/${file} HTTP/1.0\\r\\n\\r\\n" >&3; sed "1,/^\\r$/d" <&3 >"$0"`;
  return `bash -c 'exec 3<>/dev/tcp/${host}/${port}; ${ask}' "$f"`;
}

function fetchManifest(address: string): Promise<string> {
  const { host, port } = splitAddress(address);
  const failed = (why: string, cause?: unknown): CmdopError =>
    new CmdopError("NotFound", `The relay ${address} serves no release: ${why}.`, {
      cause,
      next: "Start it with cmdop relay --archives DIR, where DIR is what npm run release has made.",
    });
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: `/release/${MANIFEST_FILE}`, timeout: MANIFEST_TIMEOUT_MS });
    asked.once("timeout", () => asked.destroy(new Error("it does not answer")));
    asked.once("error", (error) => reject(failed(error.message, error)));
    asked.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_MANIFEST_BYTES) response.destroy(new Error("its manifest is too long"));
      });
      response.once("error", (error) => reject(failed(error.message, error)));
      response.once("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(failed(`it answers ${response.statusCode}`));
      });
    });
    asked.end();
  });
}
