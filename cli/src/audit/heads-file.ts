import { readFile } from "node:fs/promises";
import { isErrno } from "@cmdop/kit";
import { type AuditHeads, auditHeadsSchema, CmdopError } from "@cmdop/sdk";
import { writeHomeFile } from "../home/home.ts";

/** Reads the heads of an earlier verification; undefined if the file does not exist yet. */
export async function readHeads(file: string): Promise<AuditHeads | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
  const parsed = auditHeadsSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new CmdopError("InvalidArgument", `${file} has no heads from cmdop audit verify.`, {
    cause: parsed.error,
    next: "Name another file, or restore it from a copy: without heads, the loss of a chain's end on both sides is not found.",
  });
}

/** Parses JSON; returns undefined for other text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** Replaces the file with new heads. */
export async function writeHeads(file: string, heads: AuditHeads): Promise<void> {
  await writeHomeFile(file, `${JSON.stringify(heads, null, 2)}\n`);
}
