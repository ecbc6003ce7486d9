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

/** What a decoded request is about, for the gate. */
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
    // No program that is allowed has a name that is not UTF-8: what stands for it then is none.
    const program = escaped && command.case === "argv" ? pathBytes(named).toString() : named;
    // A profile is read by a shell, whatever comes behind it.
    const programs = login && program !== shell ? [program, shell] : [program];
    return { paths, starts: { programs, variables: Object.keys(env) } };
  }
  if (isMessageOf(Sessions.method.create.input, request)) {
    const { shell, env } = request;
    return { paths, starts: { programs: [shell[0] ?? shells.shell], variables: Object.keys(env) } };
  }
  return { paths };
}
