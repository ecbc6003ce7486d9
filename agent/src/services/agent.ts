import os from "node:os";
import {
  type Agent,
  type AgentRunRequest,
  agentTypeName,
  CmdopError,
  type Handlers,
  runApproveName,
} from "@cmdop/proto";
import type { Job } from "../jobs/index.ts";
import { Confirmations } from "../loop/confirmations.ts";
import { Manners } from "../loop/manners.ts";
import { checkRun, type RunRequest, runHash, runSummary } from "../loop/request.ts";
import { beginRun, type LoopCore } from "../loop/run.ts";
import { parseSchema } from "../loop/schema/output-schema.ts";
import { loadModelSettings, type ModelSettings } from "../loop/settings.ts";
import { EXECUTE_METHOD } from "../loop/tools/execute.ts";
import { mayEver } from "../loop/tools/tool-gate.ts";
import type { Caller } from "../policy/caller.ts";
import { filesOf } from "./forwarded-files.ts";
import { follow, requesterOf, wireEvent, wireOutcome } from "./job-events.ts";
import type { Core } from "./services.ts";

/** The Agent service: translates between the wire, the jobs core and the loop. */
export function agentHandlers(core: Core): Handlers<typeof Agent, Caller> {
  const { jobs, stateDir } = core;
  const loop: LoopCore = {
    jobs,
    gate: core.toolGate,
    schemas: core.schemas,
    manners: new Manners(),
    files: filesOf(core.files),
    place: () => placeOf(core),
  };
  /** Confirmations of the runs, forgotten with the runs. */
  const answering = new WeakMap<Job, Confirmations>();

  return {
    run: async function* (message, { caller, signal }) {
      const requester = requesterOf(caller);
      const request = requestOf(message);
      checkRun(request);
      const schema = request.outputSchema === "" ? undefined : parseSchema(request.outputSchema);
      const settings = await settingsOrRefusal(stateDir);
      const confirmations = new Confirmations(request.approve);
      const { job, attached } = jobs.startRun(requester, message.runId, {
        requestHash: runHash(request),
        summary: runSummary(request),
        // Checked only for a new run: one that was started before is followed whatever the settings are now.
        check: () => {
          if (settings instanceof CmdopError) throw settings;
          checkTools(caller, request);
        },
        begin: (context) => {
          if (settings instanceof CmdopError) throw settings;
          return beginRun(loop, { request, schema, settings, caller, confirmations }, context);
        },
      });
      if (!attached) answering.set(job, confirmations);
      for await (const event of follow(job, requester, message.after, attached, signal))
        yield { event: wireEvent(event) };
    },

    attach: async function* ({ runId, after }, { caller, signal }) {
      const requester = requesterOf(caller);
      const job = jobs.get(requester, runId);
      if (job.identity.kind !== "run") throw noRun(runId);
      for await (const event of follow(job, requester, after, true, signal))
        yield { event: wireEvent(event) };
    },

    cancel: async ({ runId }, { caller }) => {
      const requester = requesterOf(caller);
      const isOther = ({ identity }: { identity: { id: string; kind: string } }): boolean =>
        identity.id === runId && identity.kind !== "run";
      // A key with the scope for agents alone must not end commands and sessions.
      if (jobs.list(requester, isOther).length > 0) throw noRun(runId);
      return { outcome: wireOutcome(await jobs.cancel(requester, runId)) };
    },

    approve: async ({ runId, callId, hash, approve, reason }, { caller }) => {
      const job = jobs.get(requesterOf(caller), runId);
      if (job.identity.kind !== "run") throw noRun(runId);
      const confirmations = answering.get(job);
      if (confirmations === undefined || job.outcome !== undefined)
        throw new CmdopError("JobEnded", `The run ${runId} has ended: no question of it waits.`);
      confirmations.answer({ callId, hash, approve, reason });
      return {};
    },
  };
}

function requestOf(message: AgentRunRequest): RunRequest {
  const { prompt, outputSchema, maxSteps, maxTokens, timeoutMs } = message;
  const agentType = agentTypeName(message.agentType);
  if (agentType === undefined) {
    throw new CmdopError("InvalidArgument", `There is no agent type ${message.agentType}.`, {
      next: "Use chat, terminal, command, router or planner; or bring the agent to the SDK's version.",
    });
  }
  const approve = runApproveName(message.approve);
  if (approve === undefined) {
    throw new CmdopError("InvalidArgument", `There is no value ${message.approve} of approve.`, {
      next: "Use writes, commands or all; or bring the agent to the SDK's version.",
    });
  }
  return { prompt, agentType, outputSchema, maxSteps, maxTokens, timeoutMs, approve };
}

async function settingsOrRefusal(stateDir: string): Promise<ModelSettings | CmdopError> {
  try {
    return await loadModelSettings(stateDir);
  } catch (thrown) {
    return CmdopError.from(thrown);
  }
}

function checkTools(caller: Caller, { agentType }: RunRequest): void {
  if (agentType !== "command" || mayEver(caller, EXECUTE_METHOD)) return;
  throw new CmdopError(
    "PermissionDenied",
    "An agent of the type command runs a command, and this key may run none: it lacks the scope terminal here.",
    { next: "Ask the owner for a key with the scope terminal, or use the type chat." },
  );
}

function placeOf({ machine }: Core): string {
  const { name, user, home } = machine.facts();
  return `The machine is ${JSON.stringify(name)} (${os.platform()} ${os.arch()}); commands run as ${user}, whose home directory is ${home}.`;
}

function noRun(runId: string): CmdopError {
  return new CmdopError("JobUnknown", `The job ${runId.slice(0, 36)} is not an agent's run.`);
}
