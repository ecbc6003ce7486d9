import { readFile, stat } from "node:fs/promises";
import { CmdopError, MAX_OUTPUT_SCHEMA_BYTES } from "@cmdop/proto";
import type { JsonSchema } from "@cmdop/sdk";

/** Largest schema file, in bytes. Indented schemas in files are longer than on the wire. */
const MAX_FILE_BYTES = 8 * MAX_OUTPUT_SCHEMA_BYTES;

/** Reads a JSON Schema from a file; the SDK checks that it can be used. @throws CmdopError InvalidArgument */
export async function readSchemaFile(file: string): Promise<JsonSchema> {
  const refusal = (why: string, cause?: unknown): CmdopError =>
    new CmdopError("InvalidArgument", `The schema in ${file} can't be used: ${why}.`, {
      cause,
      next: 'Give a file with a JSON Schema of an object: {"type": "object", "properties": {…}}.',
    });
  let json: unknown;
  try {
    const found = await stat(file);
    if (!found.isFile() || found.size > MAX_FILE_BYTES)
      throw refusal(`it is not a file of at most ${MAX_FILE_BYTES} bytes`);
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (thrown) {
    if (thrown instanceof CmdopError) throw thrown;
    throw refusal(thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw refusal("it is not a JSON object");
  return { ...json };
}
