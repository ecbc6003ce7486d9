import { CmdopError, type Exec, type ExecStartRequest, type Handlers, systemPath } from "@cmdop/proto";
import type { Command, Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { follow, requesterOf, wireEvent } from "./job-events.ts";

/** Returns the handlers of `Exec`, which only translate between the wire and the jobs core. */
export function execHandlers(jobs: Jobs): Handlers<typeof Exec, Caller> {
  return {
    start: async function* (request, { caller, signal }) {
      const requester = requesterOf(caller);
      const { job, attached } = jobs.start(requester, request.jobId, commandOf(request));
      for await (const event of follow(job, requester, request.after, attached, signal)) {
        yield { event: wireEvent(event) };
      }
    },
  };
}

function commandOf({ command, lineShell, login, escaped, ...request }: ExecStartRequest): Command {
  if (command.case === undefined) {
    throw new CmdopError("InvalidArgument", "The request names no command.", {
      next: "Give a shell line, or a program and its arguments.",
    });
  }
  const words = command.case === "shell" ? [command.value] : command.value.args;
  const plain = escaped ? words.map(systemPath).filter((word) => typeof word === "string") : words;
  const hasBytes = plain.length < words.length;
  const given = hasBytes ? words : plain;
  const run = command.case === "shell" ? { shell: given[0] ?? "" } : { argv: given };
  const { cwd, env, timeoutMs, stdinOpen, stdin } = request;
  const rest = { cwd, env, timeoutMs, stdinOpen, stdin, ...(hasBytes ? { escaped: hasBytes } : {}) };
  return { run, shell: lineShell, login, ...rest };
}
