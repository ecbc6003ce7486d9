import os from "node:os";
import { CmdopError, type Handlers, type Machine, type MachineIdentity } from "@cmdop/proto";
import type { Caller } from "../policy/caller.ts";

/** What the agent knows of its machine beyond what the operating system says. */
export interface MachineFacts extends MachineIdentity {
  readonly agentVersion: string;
}

/** Bytes of a challenge. */
const NONCE_BYTES = 32;

/** The handlers of `Machine`. `signHead`: the machine's word on where its audit chain ends, with the asker's challenge. */
export function machineHandlers(
  facts: () => MachineFacts,
  signHead: (nonce: string) => Promise<string>,
): Handlers<typeof Machine, Caller> {
  return {
    async explain() {
      throw new CmdopError("Unimplemented", "PLACEHOLDER");
    },
    async auditHead({ nonce }) {
      if (nonce.length !== NONCE_BYTES) {
        throw new CmdopError("InvalidArgument", `The nonce has ${NONCE_BYTES} bytes, not ${nonce.length}.`, {
          next: "Send fresh random bytes, so that the answer can't be an old one.",
        });
      }
      return { head: await signHead(Buffer.from(nonce).toString("base64url")) };
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
