import { CmdopError, type MachineHealth as MachineHealthMessage } from "@cmdop/proto";

/** Room on one of a machine's file systems. */
export interface DiskSpace {
  readonly path: string;
  /** `state`, `home` or `temporary files`. */
  readonly purpose: string;
  /** Bytes that its user can still write, and all that it has. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Files that can still be made; both 0 if the file system does not count them. */
  readonly freeFiles: number;
  readonly totalFiles: number;
}

/** What a person checks first when something on a machine does not work. */
export interface MachineHealth {
  /** The relay that the machine has joined: `ID@HOST:PORT`. */
  readonly relay: string;
  /** True while the relay can reach the machine. */
  readonly linked: boolean;
  /** The reason why it can't, and what to do next; empty while it can. */
  readonly linkError: string;
  readonly linkNext: string;
  /** The machine's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /** The version of Node that runs the agent. */
  readonly nodeVersion: string;
  readonly agentMemoryBytes: number;
  /** The disks that the agent and its jobs need; those that do not answer are left out. */
  readonly disks: readonly DiskSpace[];
  /** Files that the agent may have open at once; 0 if it is not known. */
  readonly maxOpenFiles: number;
  /** Directories that the user's programs may watch; 0 if it is not known. */
  readonly maxWatches: number;
  /** The shell that runs lines; empty if the policy allows none. */
  readonly shell: string;
  /** The model of `agent.run`, `provider:model`; empty if there is none that can be used. */
  readonly model: string;
  /** The reason why there is none, and what to do next; empty if there is one. */
  readonly modelError: string;
  readonly modelNext: string;
  /** True if a service manager started the agent. */
  readonly managed: boolean;
  /** The load average of the last minute. */
  readonly load: number;
  /** Memory that programs can still have, in bytes. */
  readonly freeMemoryBytes: number;
}

/** Converts the message of the wire. @throws CmdopError Unimplemented for an agent that sends none */
export function machineHealth(message: MachineHealthMessage | undefined): MachineHealth {
  if (message === undefined) {
    throw new CmdopError("Unimplemented", "The machine's agent can't describe its health.", {
      next: "Upgrade cmdop on the machine.",
    });
  }
  const { $typeName: _type, $unknown: _unknown, ...rest } = message;
  return {
    ...rest,
    agentMemoryBytes: Number(rest.agentMemoryBytes),
    disks: rest.disks.map((disk) => ({
      path: disk.path,
      purpose: disk.purpose,
      freeBytes: Number(disk.freeBytes),
      totalBytes: Number(disk.totalBytes),
      freeFiles: Number(disk.freeFiles),
      totalFiles: Number(disk.totalFiles),
    })),
    maxOpenFiles: Number(rest.maxOpenFiles),
    maxWatches: Number(rest.maxWatches),
    freeMemoryBytes: Number(rest.freeMemoryBytes),
  };
}
