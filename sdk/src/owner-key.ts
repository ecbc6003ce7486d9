import {
  addressSchema,
  CmdopError,
  ED25519_BYTES,
  type KeyPair,
  keyPairOf,
  type RelayTarget,
  relayIdSchema,
} from "@cmdop/proto";
import type { ReconnectOptions } from "./connection/reconnect.ts";
import { readPrivateFile } from "./private-file.ts";

/** How `CMDOPClient.owner` is made. */
export interface OwnerOptions {
  /** The file of the owner key that `cmdop init` made: `owner/owner.key` in the operator's CMDOP_HOME. */
  readonly keyFile: string;
  /** `ID@HOST:PORT`, as `cmdop relay` prints it. */
  readonly relay: string;
  /** Pauses between attempts over a lost connection. */
  readonly reconnect?: ReconnectOptions | undefined;
}

/**
 * Reads an owner key from its file. The error never repeats any of it.
 * @throws CmdopError AccessDenied, InvalidArgument
 */
export function readOwnerKey(file: string): KeyPair {
  let seed: Buffer;
  try {
    seed = Buffer.from(readPrivateFile(file).trim(), "base64url");
  } catch (cause) {
    if (cause instanceof CmdopError) throw cause;
    throw new CmdopError("InvalidArgument", `The owner key in ${file} can't be read.`, {
      next: "Name the file that cmdop init made: owner/owner.key in the operator's CMDOP_HOME.",
      cause,
    });
  }
  if (seed.length === ED25519_BYTES) return keyPairOf(seed);
  throw new CmdopError("InvalidArgument", `${file} does not hold an owner key.`, {
    next: "Name the file that cmdop init made: owner/owner.key in the operator's CMDOP_HOME.",
  });
}

/** Reads `ID@HOST:PORT`. @throws CmdopError InvalidArgument */
export function parseRelayTarget(text: string): RelayTarget {
  const at = text.indexOf("@");
  const id = relayIdSchema.safeParse(text.slice(0, at));
  const address = addressSchema.safeParse(text.slice(at + 1));
  if (at > 0 && id.success && address.success) return { id: id.data, address: address.data };
  throw new CmdopError("InvalidArgument", `${JSON.stringify(text)} does not name a relay.`, {
    next: "Give it as ID@HOST:PORT; cmdop relay prints it when it starts.",
  });
}
