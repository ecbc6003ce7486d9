import {
  addressSchema,
  CmdopError,
  type KeyPair,
  MAX_SEALED_KEY_BYTES,
  openOwnerKey,
  parseSealedKey,
  type RelayTarget,
  readPrivateFile,
  relayIdSchema,
} from "@cmdop/proto";
import type { ReconnectOptions } from "./connection/reconnect.ts";
import type { OnSigned } from "./options.ts";

/** Options of `CMDOPClient.owner`. */
export interface OwnerOptions {
  /** Path of the owner key file that `cmdop init` made: `owner/owner.key` in the operator's CMDOP_HOME. */
  readonly keyFile: string;
  /** The relay as `ID@HOST:PORT`; `cmdop relay` prints it. */
  readonly relay: string;
  /** The passphrase that the key is sealed with; default CMDOP_OWNER_PASSPHRASE. */
  readonly passphrase?: string | undefined;
  /** Pauses between attempts to reconnect. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** Called with each statement that is signed and taken; see RemoteOptions. */
  readonly onSigned?: OnSigned | undefined;
}

/**
 * Opens an owner key. It takes about 0.3 s and 128 MiB, off this thread, so that guessing a passphrase is
 * costly. Errors never quote the key.
 * @throws CmdopError AccessDenied, InvalidArgument; Unauthenticated for a missing or wrong passphrase
 */
export async function readOwnerKey(
  file: string,
  passphrase = process.env.CMDOP_OWNER_PASSPHRASE,
): Promise<KeyPair> {
  const sealed = parseSealedKey(readKeyFile(file), file);
  if (!passphrase) {
    throw new CmdopError(
      "Unauthenticated",
      `The owner key in ${file} is sealed, and there is no passphrase.`,
      {
        next: "Pass passphrase, or set CMDOP_OWNER_PASSPHRASE. cmdop init or cmdop up showed the passphrase once.",
      },
    );
  }
  const key = await openOwnerKey(sealed, passphrase);
  if (key !== undefined) return key;
  throw new CmdopError("Unauthenticated", `This is not the passphrase of ${file}.`, {
    next: "Pass the one that cmdop init or cmdop up showed once. If it is lost: cmdop owner recover.",
  });
}

function readKeyFile(file: string): string {
  const text = readPrivateFile(file, { maxBytes: MAX_SEALED_KEY_BYTES });
  if (text !== undefined) return text;
  throw new CmdopError("InvalidArgument", `There is no owner key ${file}.`, {
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
