import { bytes32Schema, CmdopError, type KeyPair, keyPairOf } from "@cmdop/proto";
import { readInput } from "../console/standard-input.ts";
import { showOnce } from "../passphrase/show-once.ts";
import { askHidden } from "../passphrase/terminal.ts";

/** Longest input that is read as a recovery key, in bytes; the key has 43 characters. */
const MAX_INPUT_BYTES = 1024;

/** Shows the recovery owner's key, only this once: it is not kept. */
export function showRecoveryKey(recovery: KeyPair): void {
  showOnce(
    "recovery key",
    Buffer.from(recovery.seed).toString("base64url"),
    "It is a second owner, for cmdop owner recover when the owner key or its passphrase is lost or stolen. It is shown only this once: keep it off this machine.",
  );
}

/**
 * Reads the recovery key from the person at the terminal, else from standard input; never from the command
 * line.
 */
export async function readRecoveryKey(): Promise<KeyPair> {
  const typed = process.stdin.isTTY ? await askHidden("Recovery key: ") : undefined;
  const text = (typed ?? (await readInput(MAX_INPUT_BYTES, "a recovery key"))).trim();
  if (bytes32Schema.safeParse(text).success) return keyPairOf(Buffer.from(text, "base64url"));
  throw new CmdopError("InvalidArgument", "This is not a recovery key.", {
    next: "Give the 43 characters that cmdop init or cmdop up showed, on standard input or at the terminal.",
  });
}
