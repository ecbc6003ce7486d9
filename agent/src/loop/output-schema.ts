import { createContext, Script } from "node:vm";
import { CmdopError } from "@cmdop/proto";
import type { JSONSchema7 } from "ai";
import { z } from "zod";
import { LOOP_LIMITS } from "./limits.ts";

/** Characters of the complaints about an answer that the model is told. */
const MAX_COMPLAINT_CHARACTERS = 4_000;

/** What an answer came to. */
export type Reading =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly errors: string };

/** The shape that a run's answer must have. */
export interface OutputSchema {
  readonly json: JSONSchema7;
  /** Reads an answer of the model: JSON, also in a code fence. */
  read(text: string): Reading;
}

/** @throws CmdopError InvalidArgument where it is no JSON Schema of an object, or has what can't be checked here */
export function compileSchema(text: string): OutputSchema {
  let json: JSONSchema7;
  let schema: z.ZodType;
  try {
    json = z.custom<JSONSchema7>(isObjectSchema).parse(JSON.parse(text));
    schema = z.fromJSONSchema({ ...z.record(z.string(), z.unknown()).parse(json) });
  } catch (thrown) {
    const why = thrown instanceof z.ZodError ? 'it is none of an object ("type": "object")' : String(thrown);
    throw new CmdopError("InvalidArgument", `The output schema can't be used: ${why.slice(0, 500)}.`, {
      cause: thrown,
      next: "Give a JSON Schema (draft 2020-12 or 7) of an object, its references within itself.",
    });
  }
  return { json, read: (answer) => read(schema, answer) };
}

/** A schema of our own. */
export function schemaOf(schema: z.ZodType): OutputSchema {
  const json = z.custom<JSONSchema7>(isObjectSchema).parse(z.toJSONSchema(schema, { target: "draft-7" }));
  return { json, read: (answer) => read(schema, answer) };
}

function isObjectSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === "object";
}

function read(schema: z.ZodType, answer: string): Reading {
  const [, fenced] = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(answer) ?? [];
  let json: unknown;
  try {
    json = JSON.parse(fenced ?? answer);
  } catch (thrown) {
    return { ok: false, errors: `It is not JSON: ${String(thrown).slice(0, 200)}` };
  }
  const checked = checkInTime(schema, json);
  if (checked === undefined) {
    return { ok: false, errors: `Its check took more than ${LOOP_LIMITS.schemaCheckMs} ms.` };
  }
  if (checked.success) return { ok: true, output: checked.data };
  return { ok: false, errors: z.prettifyError(checked.error).slice(0, MAX_COMPLAINT_CHARACTERS) };
}

/** A pattern of the caller's, on a text of the model's, may take for ever: only a script's time limit ends that. */
function checkInTime(schema: z.ZodType, json: unknown): z.ZodSafeParseResult<unknown> | undefined {
  let result: z.ZodSafeParseResult<unknown> | undefined;
  const check = (): void => {
    result = schema.safeParse(json);
  };
  try {
    new Script("check()").runInContext(createContext({ check }), { timeout: LOOP_LIMITS.schemaCheckMs });
  } catch (thrown) {
    // An error of the script's own realm is no Error of ours.
    const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
    if (code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw thrown;
  }
  return result;
}
