import { readFile, stat } from "node:fs/promises";
import { CmdopError, MAX_OUTPUT_SCHEMA_BYTES } from "@cmdop/proto";
import type { JsonSchema } from "@cmdop/sdk";

/** Indented as people write them, schemas are longer than on the wire. */
const MAX_FILE_BYTES = 8 * MAX_OUTPUT_SCHEMA_BYTES;

/** A JSON Schema out of a file; whether it can be used, the SDK says. @throws CmdopError InvalidArgument */
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
      throw refusal(`it is no file of ${MAX_FILE_BYTES} bytes at most`);
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (thrown) {
    if (thrown instanceof CmdopError) throw thrown;
    throw refusal(thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw refusal("it is no JSON object");
  return { ...json };
}
