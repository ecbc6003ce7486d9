import type { KeyPair } from "@cmdop/proto";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import { ownerFile } from "./owner.ts";

/** Prints the new owner. The key itself stays in its file. */
export function printRotated(
  { key, resigned }: { readonly key: KeyPair; readonly resigned: readonly string[] },
  json = false,
): void {
  if (json) {
    process.stdout.write(jsonLine({ owner: key.publicKey, resigned }));
    return;
  }
  process.stdout.write(`owner ${key.publicKey}\n`);
  note(`${resigned.length} grants were signed again. The new key is in ${ownerFile()}: back it up.`);
}
