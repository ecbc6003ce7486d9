import {
  ExecStartRequestSchema,
  isMessage,
  type MethodRule,
  requestPaths,
  SessionsCreateRequestSchema,
} from "@cmdop/proto";
import type { PathAccess, Resource } from "./authorize.ts";

/** What a shell line is run by. */
const LINE_SHELL = "/bin/sh";

/** What a decoded request is about, for the gate. `loginShell`: what a session runs that names no program. */
export function resourceOf(
  rule: MethodRule | undefined,
  request: object,
  loginShell: () => string,
): Resource {
  const paths: PathAccess[] = rule === undefined ? [] : requestPaths(rule, request);
  if (isMessage(request, ExecStartRequestSchema)) {
    const { command, env } = request;
    const program = command.case === "argv" ? command.value.args[0] : LINE_SHELL;
    return { paths, starts: { program: program ?? "", variables: Object.keys(env) } };
  }
  if (isMessage(request, SessionsCreateRequestSchema)) {
    const { shell, env } = request;
    return { paths, starts: { program: shell[0] ?? loginShell(), variables: Object.keys(env) } };
  }
  return { paths };
}
