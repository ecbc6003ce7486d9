import { sign, verify } from "node:crypto";
import { CmdopError } from "../errors/cmdop-error.ts";
import { type KeyPair, type PublicKey, publicKeyObject } from "./ed25519.ts";

/** Size of the relay's challenge, in bytes. */
export const HELLO_NONCE_BYTES = 32;

/** RFC 5705 exporter of the hello's TLS connection: a proof can't be used on another connection. */
export const LINK_EXPORTER = { label: "EXPORTER-cmdop-link", length: 32 } as const;

/** The data that a machine signs to open a link. */
export interface HelloTranscript {
  readonly nonce: Uint8Array;
  readonly exporter: Uint8Array;
  readonly bootId: string;
  /** Number of the lane, as in link.proto. */
  readonly lane: number;
}

/** Signs nonce ‖ TLS exporter, bound to boot and lane, with the machine's key. */
export function signHello(transcript: HelloTranscript, machine: KeyPair): Uint8Array {
  return sign(null, bytesOf(transcript), machine.privateKey);
}

/** Returns true if the machine with this key signed the transcript. */
export function verifyHello(
  transcript: HelloTranscript,
  signature: Uint8Array,
  machineKey: PublicKey,
): boolean {
  return verify(null, bytesOf(transcript), publicKeyObject(machineKey), signature);
}

function bytesOf({ nonce, exporter, bootId, lane }: HelloTranscript): Buffer {
  if (nonce.length !== HELLO_NONCE_BYTES || exporter.length !== LINK_EXPORTER.length) {
    throw new CmdopError(
      "LinkRefused",
      `The link's challenge has ${nonce.length} bytes, not ${HELLO_NONCE_BYTES}.`,
    );
  }
  // The first two parts have fixed lengths and the lane is one byte, so the concatenation is unambiguous.
  return Buffer.concat([
    Buffer.from("cmdop link hello v1\0"),
    nonce,
    exporter,
    Buffer.of(lane),
    Buffer.from(bootId),
  ]);
}
