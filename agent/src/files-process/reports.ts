import { CmdopError, isErrorCode } from "@cmdop/proto";
import { z } from "zod";

import { OVER_FIELDS } from "../files/unfinished/unfinished-log.ts";
import { MAX_STALLED_MOUNTS } from "./limits.ts";
import type { Report } from "./told.ts";

/** Characters of a text that the process tells. */
const MAX_TEXT_CHARACTERS = 8 * 1024;

const text = z.string().max(MAX_TEXT_CHARACTERS);
const id = z.int().min(0);

/** The process may belong to another user: what it says is looked at. */
const reportSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ready") }),
  z.strictObject({ kind: z.literal("useless"), reason: text }),
  z.strictObject({
    kind: z.literal("begin"),
    id,
    name: text,
    begun: z.strictObject({
      directory: text.startsWith("/"),
      upload: z.boolean(),
      atMs: z.number(),
      over: z.strictObject(OVER_FIELDS).optional(),
    }),
  }),
  z.strictObject({ kind: z.literal("over"), name: text }),
  z.strictObject({
    kind: z.literal("stalled"),
    mounts: z
      .array(z.strictObject({ id, point: text, links: z.array(text).max(MAX_STALLED_MOUNTS) }))
      .max(MAX_STALLED_MOUNTS),
  }),
  z.strictObject({ kind: z.literal("replace"), reason: text }),
  z.strictObject({ kind: z.literal("trouble"), what: text, message: text }),
  z.strictObject({ kind: z.literal("pong") }),
]);

const failureSchema = z.strictObject({ code: text, message: text, next: text });

/** What the process tells. Throws where it makes no sense. */
export function readReport(payload: Buffer): Report {
  return reportSchema.parse(JSON.parse(payload.toString()));
}

/** The error that a call failed with. Throws where it makes no sense. */
export function readFailure(payload: Buffer): CmdopError {
  const { code, message, next } = failureSchema.parse(JSON.parse(payload.toString()));
  if (!isErrorCode(code)) throw new TypeError("no error of ours");
  return new CmdopError(code, message, { next });
}
