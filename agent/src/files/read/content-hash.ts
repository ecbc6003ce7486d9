import { createHash } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import { stopIfCanceled } from "../place/errors.ts";
import { shown } from "../place/path.ts";
import type { Pin } from "../place/pin.ts";
import { openRegular, readRange, refuseWrittenTo } from "./read.ts";

/** Bytes of a SHA-256. */
const SHA256_BYTES = 32;

/** The SHA-256 of a held regular file's content. Throws FileChanged when it changes underneath. */
export async function hashContent(pin: Pin, path: string, signal?: AbortSignal): Promise<Buffer> {
  await using file = await openRegular(pin, path);
  const hash = createHash("sha256");
  for await (const piece of readRange(file, pin.stats, { offset: 0n }, path)) {
    if (signal !== undefined) stopIfCanceled(signal, "hash", path);
    hash.update(piece);
  }
  await refuseWrittenTo(file, pin.stats, path);
  return hash.digest();
}

/** The SHA-256 of bytes. */
export function hashOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** A caller's hash, checked. */
export function checkedHash(hash: Uint8Array | undefined): Uint8Array | undefined {
  if (hash === undefined || hash.length === SHA256_BYTES) return hash;
  throw new CmdopError("InvalidArgument", `ifMatch is a SHA-256 of 32 bytes, not of ${hash.length}.`);
}

/** The refusal of a change whose condition does not hold. It does not say the file's hash: the caller may only be allowed to write. */
export function notMatching(path: string, why: string): CmdopError {
  return new CmdopError("FileChanged", `${shown(path)} ${why}; nothing was changed.`, {
    next: "Read it again, decide again, and give the hash or size of what you have read.",
  });
}
