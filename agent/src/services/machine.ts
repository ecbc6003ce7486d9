import os from "node:os";
import { CmdopError, type Handlers, type Machine, type MachineIdentity } from "@cmdop/proto";
import type { Caller } from "../policy/caller.ts";

/** What the agent knows of its machine beyond what the operating system says. */
export interface MachineFacts extends MachineIdentity {
  readonly agentVersion: string;
}

/** The handlers of `Machine`. */
export function machineHandlers(facts: () => MachineFacts): Handlers<typeof Machine, Caller> {
  return {
    async explain() {
      throw new CmdopError("Unimplemented", "PLACEHOLDER");
    },
    async auditHead() {
      throw new CmdopError("Unimplemented", "PLACEHOLDER");
    },
    async info(_request, call) {
      const { id, name, labels, agentVersion } = facts();
      const user = os.userInfo();
      return {
        id,
        name,
        labels: { ...labels },
        hostname: os.hostname(),
        platform: os.platform(),
        arch: os.arch(),
        release: os.release(),
        agentVersion,
        user: user.username,
        home: user.homedir,
        cpus: os.availableParallelism(),
        memoryBytes: BigInt(os.totalmem()),
        uptimeSeconds: os.uptime(),
        scopes: [...call.caller.scopes],
      };
    },
  };
}
