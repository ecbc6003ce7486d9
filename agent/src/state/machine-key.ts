import path from "node:path";
import {
  CmdopError,
  ED25519_BYTES,
  generateKeyPair,
  type KeyPair,
  keyPairOf,
  readPrivateFile,
  writePrivateFile,
} from "@cmdop/proto";

/** Loads the machine's own key, or makes it on the first start. It never leaves the state directory. */
export async function loadMachineKey(stateDir: string): Promise<KeyPair> {
  const file = path.join(stateDir, "machine.key");
  const stored = readPrivateFile(file);
  if (stored === undefined) {
    const made = generateKeyPair();
    await writePrivateFile(file, `${Buffer.from(made.seed).toString("base64url")}\n`);
    return made;
  }
  const seed = Buffer.from(stored.trim(), "base64url");
  if (seed.length !== ED25519_BYTES) {
    throw new CmdopError("InvalidArgument", `${file} does not hold a machine key: it is damaged.`, {
      next: "Restore it from a backup, or delete the state directory and join again with a new token.",
    });
  }
  return keyPairOf(seed);
}
