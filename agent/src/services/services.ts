import {
  type Admit,
  Agent as AgentService,
  Approvals as ApprovalsService,
  Exec,
  Files,
  Jobs as JobsService,
  Machine,
  type RpcServer,
  Sessions,
  serve,
} from "@cmdop/proto";
import type { Approvals } from "../approvals/approvals.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Schemas } from "../loop/schema/schemas.ts";
import type { ToolGate } from "../loop/tools/tool-gate.ts";
import type { Caller } from "../policy/caller.ts";
import { agentHandlers } from "./agent.ts";
import { approvalsHandlers } from "./approvals.ts";
import { execHandlers } from "./exec.ts";
import { type FilesOptions, forwardedFiles } from "./forwarded-files.ts";
import { jobsHandlers } from "./jobs.ts";
import { type MachineOptions, machineHandlers } from "./machine.ts";
import { sessionsHandlers } from "./sessions.ts";

/** The dependencies of the services. */
export interface Core {
  readonly jobs: Jobs;
  readonly files: FilesOptions;
  /** The agent's state directory, which holds the settings of its model. */
  readonly stateDir: string;
  /** The gate for the tools of agents' runs. */
  readonly toolGate: ToolGate;
  /** Checks the output schemas of runs. */
  readonly schemas: Schemas;
  readonly machine: MachineOptions;
  readonly approvals: Approvals;
  /** Signs the end of the machine's audit chain, with the asker's challenge. */
  readonly signHead: (nonce: string) => Promise<string>;
}

/** Adds every service that callers can reach, the same at each door. */
export function addServices(server: RpcServer, admit: Admit<Caller>, core: Core): void {
  serve(server, Exec, admit, execHandlers(core.jobs));
  serve(server, JobsService, admit, jobsHandlers(core.jobs));
  serve(server, Sessions, admit, sessionsHandlers(core.jobs));
  serve(server, AgentService, admit, agentHandlers(core));
  serve(server, Files, admit, forwardedFiles(core.files));
  serve(server, Machine, admit, machineHandlers(core.machine, core.signHead));
  serve(server, ApprovalsService, admit, approvalsHandlers(core.approvals));
}
