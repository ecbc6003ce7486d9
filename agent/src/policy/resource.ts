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
import type { Resource } from "./authorize.ts";

/** What a shell line is run by. */
const LINE_SHELL = "/bin/sh";

/** What a decoded request is about, for the gate. `loginShell`: what a session runs that names no program. */
export function resourceOf(
  rule: MethodRule | undefined,
  request: MessageOf<MessageType>,
  loginShell: string,
): Resource {
  const paths = rule === undefined ? [] : requestPaths(rule, request);
  if (isMessageOf(Exec.method.start.input, request)) {
    const { command, env, escaped } = request;
    const program = (command.case === "argv" ? command.value.args[0] : LINE_SHELL) ?? "";
    // No shell that is allowed has a name that is not UTF-8: what it is taken for then is none.
    const named = escaped ? pathBytes(program).toString() : program;
    return { paths, starts: { program: named, variables: Object.keys(env) } };
  }
  if (isMessageOf(Sessions.method.create.input, request)) {
    const { shell, env } = request;
    return { paths, starts: { program: shell[0] ?? loginShell, variables: Object.keys(env) } };
  }
  return { paths };
}
