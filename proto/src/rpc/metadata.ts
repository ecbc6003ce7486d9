import { Metadata } from "@grpc/grpc-js";
import { CmdopError } from "../errors/cmdop-error.ts";

/** Headers as grpc-js wants them. @throws CmdopError InvalidArgument for what HTTP can't carry */
export function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[ -~]*$/.test(value)) {
      throw new CmdopError(
        "InvalidArgument",
        `The value for ${name} has characters that no header can carry.`,
      );
    }
    metadata.set(name, value);
  }
  return metadata;
}

/** A header's value, the first where there are several. */
export function headerOf(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === "string" ? value : undefined;
}
