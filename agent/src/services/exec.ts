import { CmdopError, type Exec, type ExecStartRequest, type Handlers } from "@cmdop/proto";
import type { Command, Jobs } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import { follow, requesterOf, wireEvent } from "./job-events.ts";

/** The Exec service: translates between the wire and the jobs core, and does nothing else. */
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

function commandOf({ command, lineShell, login, ...rest }: ExecStartRequest): Command {
  if (command.case === undefined) {
    throw new CmdopError("InvalidArgument", "The request names no command.", {
      next: "Give a shell line, or a program and its arguments.",
    });
  }
  const run = command.case === "shell" ? { shell: command.value } : { argv: command.value.args };
  const { cwd, env, timeoutMs, stdinOpen, stdin } = rest;
  return { run, shell: lineShell, login, cwd, env, timeoutMs, stdinOpen, stdin };
}
