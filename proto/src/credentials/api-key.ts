import { CmdopError } from "../errors/cmdop-error.ts";
import { ED25519_BYTES, type KeyPair, keyPairOf } from "./ed25519.ts";
import { addressSchema, relayIdSchema } from "./fields.ts";
import { isPinnedRelayId, splitAddress } from "./relay-id.ts";

/** The address of a key's relay, and the id by which it is recognised. */
export interface RelayTarget {
  /** Id of the relay: the pin of its CA, or its host name. */
  readonly id: string;
  /** `host:port`. */
  readonly address: string;
}

/** The content of an API key: everything that a program needs to connect. */
export interface ApiKey {
  readonly key: KeyPair;
  readonly relay: RelayTarget;
}

const PREFIX = "cmd_";
/** Version byte of a key with a relay id of 32 bytes after the seed. */
const PINNED = 1;
/** Version byte of a key whose relay has a public certificate; its id is the host name in the address. */
const PUBLIC = 2;

/**
 * Formats an API key as one string: `cmd_` + base64url(version ‖ seed ‖ relay id ‖ relay address). A secret.
 */
export function formatApiKey({ key, relay }: ApiKey): string {
  if (!addressSchema.safeParse(relay.address).success || !relayIdSchema.safeParse(relay.id).success) {
    throw new CmdopError("InvalidArgument", "An API key needs its relay's id and its address as host:port.");
  }
  if (!isPinnedRelayId(relay.id) && splitAddress(relay.address).host !== relay.id) {
    throw new CmdopError(
      "InvalidArgument",
      `An API key reaches relay ${relay.id} by its public name, so the host of its address must be that name, not ${relay.address}.`,
    );
  }
  const address = Buffer.from(relay.address);
  const parts = isPinnedRelayId(relay.id)
    ? [Buffer.of(PINNED), key.seed, Buffer.from(relay.id, "base64url"), address]
    : [Buffer.of(PUBLIC), key.seed, address];
  return PREFIX + Buffer.concat(parts).toString("base64url");
}

/** Parses an API key. The error never repeats any part of the string. */
export function parseApiKey(text: string): ApiKey {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) throw malformed(`it does not begin with ${PREFIX}`);
  const encoded = trimmed.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, "base64url");
  if (bytes.toString("base64url") !== encoded)
    throw malformed("it has characters that no key has, or was cut off");
  const version = bytes[0];
  if (version !== PINNED && version !== PUBLIC) throw malformed("its version is not known here");
  const relayIdStart = 1 + ED25519_BYTES;
  const addressStart = version === PINNED ? relayIdStart + ED25519_BYTES : relayIdStart;
  const address = addressSchema.safeParse(bytes.subarray(addressStart).toString());
  if (!address.success) throw malformed("it was cut off, or its relay address is damaged");
  const relayId =
    version === PINNED
      ? bytes.subarray(relayIdStart, addressStart).toString("base64url")
      : splitAddress(address.data).host;
  if (!relayIdSchema.safeParse(relayId).success) throw malformed("its relay address is damaged");
  return { key: keyPairOf(bytes.subarray(1, relayIdStart)), relay: { id: relayId, address: address.data } };
}

function malformed(why: string): CmdopError {
  return new CmdopError("Unauthenticated", `This is not an API key: ${why}.`, {
    next: "Copy the whole key again, from cmd_ to its end; cmdop keys create makes a new one.",
  });
}
