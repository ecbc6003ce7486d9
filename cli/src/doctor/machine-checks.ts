import type { MachineDescription, MachineHealth } from "@cmdop/sdk";
import { examineNode, examineSpace } from "./computer.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { examineClock, examineVersion } from "./relay-checks.ts";

/** Files that an agent with many terminals and transfers has open at once. */
const FEW_OPEN_FILES = 4_096;

/** Watches that a development server of today wants. */
const FEW_WATCHES = 65_536;

/** Checks what an agent says about its machine. `relayTimeMs`: the relay's clock at that time, if it is known. */
export function examineMachine(
  machine: MachineDescription & MachineHealth,
  relayTimeMs: number | undefined,
): Finding[] {
  const of = (check: string): string => `machine ${check}`;
  return [
    machine.linked
      ? ok(of("link"), `linked with ${machine.relay}`)
      : failed(
          of("link"),
          `The relay can't reach the machine: ${machine.linkError}`,
          machine.linkNext || "Look at the agent's log.",
        ),
    ...(relayTimeMs === undefined
      ? []
      : [examineClock(of("clock"), "The machine's clock", relayTimeMs, machine.timeMs)]),
    examineVersion(of("version"), "The agent", machine.agentVersion),
    examineNode(of("node"), machine.nodeVersion),
    ...machine.disks.map((disk) => examineSpace(of(`disk: ${disk.purpose}`), disk)),
    machine.diskError === ""
      ? ok(of("state"), "the agent's state is on disk")
      : failed(
          of("state"),
          `The agent can't write its state: ${machine.diskError}`,
          "Make room, or mount the disk for writing: until then a restart loses what is only in memory.",
        ),
    machine.policyError === ""
      ? ok(of("policy"), `jobs run as ${machine.user}`)
      : failed(
          of("policy"),
          `The policy file is broken, and an older policy is in force: ${machine.policyError}`,
          "On the machine: cmdop policy check.",
        ),
    limit(
      of("open files"),
      machine.maxOpenFiles,
      FEW_OPEN_FILES,
      "files may be open at once",
      "Set LimitNOFILE=65536 in the agent's unit (systemctl edit cmdop-agent), or ulimit -n.",
    ),
    limit(
      of("watches"),
      machine.maxWatches,
      FEW_WATCHES,
      "directories may be watched",
      "sysctl fs.inotify.max_user_watches=524288, and the same in /etc/sysctl.d.",
    ),
    machine.shell === ""
      ? warning(
          of("shell"),
          "The policy allows no shell that runs lines.",
          "Add one to shells in policy.json, or send commands as lists of words.",
        )
      : ok(of("shell"), `lines run in ${machine.shell}`),
    machine.model === ""
      ? warning(of("model"), machine.modelError, machine.modelNext || "Set CMDOP_MODEL for the agent.")
      : ok(of("model"), machine.model),
  ];
}

function limit(check: string, value: number, few: number, what: string, next: string): Finding {
  if (value === 0) return ok(check, "not limited here, or not known");
  const text = `${value} ${what}`;
  return value >= few ? ok(check, text) : warning(check, `Only ${text}.`, next);
}
