import {
  CmdopError,
  type Files,
  MAX_UNARY_CONTENT_BYTES,
  mayHaveRun,
  type ServiceClient,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { fileInfo } from "./file-info.ts";
import { methodOf } from "./method-of.ts";
import type { FileContent, FileInfo, WriteOptions } from "./types.ts";
import { pieces, type WriteHeader, writeRequests } from "./write-requests.ts";

/** The machine that a file is written to. */
interface Destination {
  readonly files: ServiceClient<typeof Files>;
  readonly caller: MachineCaller;
}

/** Implements `Files.write`. */
export async function writeFile(
  destination: Destination,
  path: string,
  content: FileContent,
  options: WriteOptions,
): Promise<FileInfo> {
  const { mode, parents = false } = options;
  const header = { path, parents, ...(mode === undefined ? {} : { mode }) };
  if (options.append === true) return append(destination, header, content, options);
  if (options.ifSize !== undefined) throw pointless("ifSize", "append");
  const { ifMatch, ifAbsent = false } = options;
  const conditional = {
    ...header,
    ifAbsent,
    ...(ifMatch === undefined ? {} : { ifMatch: hashBytes(ifMatch) }),
  };
  const repeatable = ifMatch === undefined && !ifAbsent;
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return bytes instanceof Uint8Array && bytes.length <= MAX_UNARY_CONTENT_BYTES
    ? replaceAtOnce(destination, conditional, bytes, { signal: options.signal, repeatable })
    : replaceByStream(destination, conditional, bytes, options.signal);
}

async function replaceAtOnce(
  { files, caller }: Destination,
  header: WriteHeader,
  content: Uint8Array,
  options: { signal: AbortSignal | undefined; repeatable: boolean },
): Promise<FileInfo> {
  const tryOnce = caller.invoke(
    methodOf("Write"),
    (call) => files.write({ ...header, content }, call),
    options,
  );
  return fileInfo((await tryOnce).entry);
}

async function replaceByStream(
  { files, caller }: Destination,
  header: WriteHeader,
  content: Exclude<FileContent, string>,
  signal: AbortSignal | undefined,
): Promise<FileInfo> {
  const call = await caller.options(methodOf("WriteStream"), { signal });
  const progress = { finishing: false };
  try {
    const { entry } = await files.writeStream(writeRequests(header, content, progress), call);
    return fileInfo(entry);
  } catch (thrown) {
    const error = CmdopError.from(thrown);
    // Nothing can have been committed before the finish was sent, so the error is certain then.
    if (!mayHaveRun(error) || !progress.finishing) throw thrown;
    throw new CmdopError("OutcomeUnknown", `The upload was broken off at its end: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Appends each piece where the one before ended, so that nothing gets in between and nothing is added twice.
 */
async function append(
  { files, caller }: Destination,
  header: WriteHeader,
  content: FileContent,
  { ifSize, ifMatch, ifAbsent, signal }: WriteOptions,
): Promise<FileInfo> {
  if (ifMatch !== undefined || ifAbsent === true) throw pointless("ifMatch or ifAbsent", "a whole write");
  if (ifSize !== undefined && (!Number.isSafeInteger(ifSize) || ifSize < 0)) {
    throw new CmdopError("InvalidArgument", `ifSize must be a whole number of bytes, not ${ifSize}.`);
  }
  let size = ifSize === undefined ? undefined : BigInt(ifSize);
  const add = async (piece: Uint8Array): Promise<FileInfo> => {
    const request = { ...header, content: piece, ...(size === undefined ? {} : { ifSize: size }) };
    const { entry } = await caller.invoke(methodOf("Append"), (call) => files.append(request, call), {
      signal,
    });
    size = entry?.size;
    return fileInfo(entry);
  };
  let last: FileInfo | undefined;
  const source = typeof content === "string" ? Buffer.from(content) : content;
  for await (const piece of pieces(source, MAX_UNARY_CONTENT_BYTES)) last = await add(piece);
  return last ?? (await add(new Uint8Array()));
}

/** Encodes text as UTF-8; returns bytes as they are. */
export function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? Buffer.from(content) : content;
}

/** Decodes a SHA-256 in hex. @throws CmdopError InvalidArgument */
export function hashBytes(hex: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, "hex");
  throw new CmdopError("InvalidArgument", "ifMatch must be a SHA-256 of 64 hexadecimal digits.", {
    next: "Take it from info(path, { hash: true }), or from what write and edit return.",
  });
}

function pointless(option: string, purpose: string): CmdopError {
  return new CmdopError("InvalidArgument", `${option} is for ${purpose}.`);
}
