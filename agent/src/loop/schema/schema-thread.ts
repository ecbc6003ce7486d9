import { parentPort } from "node:worker_threads";
import { z } from "zod";
import { LOOP_LIMITS } from "../limits.ts";
import { type Answer, isQuestion, type Question } from "./messages.ts";

/**
 * The thread that checks answers of models against schemas. Both come from
 * strangers, and together can keep a processor busy for ever: a thread can be
 * ended in the middle of that (schemas.ts).
 */

const port = parentPort;
if (port === null) throw new Error("this is a thread of the agent, not a program");

/** The newest schema: a run asks about the same one again. */
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

function check(schema: z.ZodType, answer: string): Answer {
  let json: unknown;
  try {
    json = JSON.parse(unfenced(answer));
  } catch (thrown) {
    return { kind: "differs", errors: `It is not JSON: ${String(thrown).slice(0, 200)}` };
  }
  try {
    const checked = schema.safeParse(json);
    if (!checked.success) return { kind: "differs", errors: complaints(checked.error) };
    const output = JSON.stringify(checked.data);
    const most = LOOP_LIMITS.maxAnswerCharacters;
    if (output.length <= most) return { kind: "matches", output };
    return { kind: "differs", errors: `With the schema's defaults it has more than ${most} characters.` };
  } catch (thrown) {
    // It is nested too deep to be walked through.
    return { kind: "differs", errors: `It can't be checked: ${String(thrown).slice(0, 200)}` };
  }
}

/** Models like to put JSON into a code fence. */
function unfenced(answer: string): string {
  const [, fenced] = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(answer) ?? [];
  return fenced ?? answer;
}

function complaints({ issues }: z.ZodError): string {
  const some = new z.ZodError(issues.slice(0, LOOP_LIMITS.maxComplaints));
  return z.prettifyError(some).slice(0, LOOP_LIMITS.maxComplaintCharacters);
}

port.on("message", (message: unknown) => {
  if (isQuestion(message)) port.postMessage(answerTo(message));
});
port.postMessage({ kind: "ready" } satisfies Answer);
