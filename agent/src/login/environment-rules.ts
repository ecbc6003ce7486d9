import { MAX_PATH_BYTES } from "@cmdop/proto";
import { z } from "zod";
import { isVariable } from "./environment-file.ts";
import { isWithheld } from "./withheld.ts";

/** Most variables and files in a policy's environment rules: for more, a script is the right place. */
const MAX_VARIABLES = 256;
const MAX_FILES = 16;

/** Longest name of a variable, in characters. */
const MAX_NAME_CHARACTERS = 256;

const NEVER =
  "CMDOP_* and the keys of models are the agent's own: no job gets them from the machine; a caller may set its own in env";

const name = z
  .string()
  .max(MAX_NAME_CHARACTERS)
  .regex(/^[A-Za-z_]\w*$/, "expected the name of a variable: letters, digits and _")
  .refine((text) => !isWithheld(text), NEVER);

const pattern = z
  .string()
  .max(MAX_NAME_CHARACTERS)
  .regex(/^[A-Za-z_]\w*\*?$/, "expected the name of a variable, or its beginning and *: NAME or NAME_*")
  .refine((text) => !isWithheld(text.replace(/\*$/, "")), NEVER);

/** A policy's rules for the environment of jobs. */
export const environmentRules = z.strictObject({
  /**
   * Variables of the agent's own environment that jobs get, too: NAME, or NAME_* for all that begin with
   * NAME_.
   */
  pass: z.array(pattern).max(MAX_VARIABLES).optional(),
  /** Variables and their values. They override all others except the caller's. */
  set: z
    .record(
      z.string(),
      z.string().refine((text) => isVariable("V", text), "no value may hold a NUL or have 128 KiB"),
    )
    .superRefine((set, context) => {
      const names = Object.keys(set);
      if (names.length > MAX_VARIABLES) context.addIssue(`at most ${MAX_VARIABLES} variables`);
      // Zod drops the messages of key issues, so they are added as issues of the record.
      for (const each of names)
        for (const { message } of name.safeParse(each).error?.issues ?? [])
          context.addIssue({ code: "custom", path: [each], message });
    })
    .optional(),
  /**
   * Absolute paths of files with KEY=VALUE lines, like /etc/environment. If two set the same variable, the
   * later wins.
   */
  files: z
    .array(
      z
        .string()
        .max(MAX_PATH_BYTES)
        .regex(/^\/[^\0]+$/, "expected the absolute path of a file"),
    )
    .max(MAX_FILES)
    .optional(),
  /** If true, commands run with the environment of the user's profile, unless their caller says otherwise. */
  login: z.boolean().optional(),
});

export type EnvironmentRules = z.infer<typeof environmentRules>;

/** Returns the variables of the agent's own environment that the rules pass to jobs. */
export function passed({ pass = [] }: EnvironmentRules, own: NodeJS.ProcessEnv): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value = ""] of Object.entries(own)) {
    const isNamed = pass.some((entry) => matches(entry, name));
    if (isNamed && !isWithheld(name) && isVariable(name, value)) variables[name] = value;
  }
  return variables;
}

function matches(entry: string, name: string): boolean {
  return entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry;
}
