import {
  Exec,
  isMessageOf,
  type MessageOf,
  type MessageType,
  type MethodRule,
  pathBytes,
  requestPaths,
  Sessions,
} from "@cmdop/proto";
import { type ShellRules, STANDARD_SHELL, shellNamed } from "../login/line-shell.ts";
import type { Resource } from "./authorize.ts";

/** Returns the objects of a decoded request, for the gate. */
export function resourceOf(
  rule: MethodRule | undefined,
  request: MessageOf<MessageType>,
  shells: ShellRules,
): Resource {
  const paths = rule === undefined ? [] : requestPaths(rule, request);
  if (isMessageOf(Exec.method.start.input, request)) {
    const { command, env, escaped, lineShell, login = shells.readsProfile } = request;
    const shell = shellNamed(lineShell, shells) ?? STANDARD_SHELL;
    const named = command.case === "argv" ? (command.value.args[0] ?? "") : shell;
    // No allowed program has a name that is not UTF-8, so the replacement text matches none of them.
    const program = escaped && command.case === "argv" ? pathBytes(named).toString() : named;
    // A shell reads the profile first, whatever program follows.
    const programs = login && program !== shell ? [program, shell] : [program];
    return { paths, starts: { programs, variables: Object.keys(env) } };
  }
  if (isMessageOf(Sessions.method.create.input, request)) {
    const { shell, env } = request;
    return { paths, starts: { programs: [shell[0] ?? shells.shell], variables: Object.keys(env) } };
  }
  return { paths };
}
