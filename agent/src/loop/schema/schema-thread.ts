import { parentPort } from "node:worker_threads";
import { z } from "zod";
import { LOOP_LIMITS } from "../limits.ts";
import { jsonValues } from "./json-values.ts";
import { type Answer, isQuestion, type Question } from "./messages.ts";

/**
 * The thread that checks models' answers against schemas. Both come from strangers and together can keep a
 * processor busy for ever; a thread can be stopped in the middle of that (schemas.ts).
 */

const port = parentPort;
if (port === null) throw new Error("this is a thread of the agent, not a program");

/** The newest schema, kept because a run asks about the same one again. */
let newest: { readonly text: string; readonly schema: z.ZodType } | undefined;

function compiled(text: string): z.ZodType {
  if (newest?.text === text) return newest.schema;
  const schema = z.fromJSONSchema(z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
  newest = { text, schema };
  return schema;
}

function answerTo({ schema: text, answer }: Question): Answer {
  let schema: z.ZodType;
  try {
    schema = compiled(text);
  } catch (thrown) {
    return { kind: "unusable", why: String(thrown) };
  }
  return answer === undefined ? { kind: "usable" } : check(schema, answer);
}

/**
 * Returns the first possible value of the answer that matches the schema, or the errors of the likeliest
 * value.
 */
function check(schema: z.ZodType, answer: string): Answer {
  let difference: Answer | undefined;
  try {
    for (const value of jsonValues(answer)) {
      const checked = schema.safeParse(value);
      if (checked.success) return matching(checked.data);
      difference ??= { kind: "differs", errors: complaints(checked.error) };
    }
  } catch (thrown) {
    // The value is nested too deeply to be checked.
    return { kind: "differs", errors: `It can't be checked: ${String(thrown).slice(0, 200)}` };
  }
  return difference ?? { kind: "differs", errors: notJson(answer) };
}

function matching(data: unknown): Answer {
  const output = JSON.stringify(data);
  const most = LOOP_LIMITS.maxAnswerCharacters;
  if (output.length <= most) return { kind: "matches", output };
  return { kind: "differs", errors: `With the schema's defaults it has more than ${most} characters.` };
}

function notJson(answer: string): string {
  try {
    JSON.parse(answer);
  } catch (thrown) {
    return `It is not JSON: ${String(thrown).slice(0, 200)}`;
  }
  return "It is not JSON of an object.";
}

function complaints({ issues }: z.ZodError): string {
  const some = new z.ZodError(issues.slice(0, LOOP_LIMITS.maxComplaints));
  return z.prettifyError(some).slice(0, LOOP_LIMITS.maxComplaintCharacters);
}

port.on("message", (message: unknown) => {
  if (isQuestion(message)) port.postMessage(answerTo(message));
});
port.postMessage({ kind: "ready" } satisfies Answer);
