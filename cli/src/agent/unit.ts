import { AGENT_UNIT } from "@cmdop/proto";
import { NO_KERNEL, NO_PRIVILEGES } from "../service/hardening.ts";
import { assignment, commandWord, fileName, type UnitScope } from "../service/unit-words.ts";

/** Name of the unit, in both managers. */
export const UNIT_NAME = AGENT_UNIT;

/** Values that a unit is made from. */
export interface UnitOptions {
  readonly scope: UnitScope;
  /** Absolute paths of Node and of the entry file. */
  readonly program: string;
  readonly main: string;
  /** The command that it runs; `agent` unless given. */
  readonly command?: readonly string[] | undefined;
  /** CMDOP_HOME of the agent. */
  readonly home: string;
  /** `host:port` of the relay, where it is not the one in the join token. */
  readonly relay?: string | undefined;
  /** A file with variables of the agent's own, which need not be there. */
  readonly environmentFile?: string | undefined;
  /** For a machine whose policy withholds terminal and agent: closes what jobs would have needed. */
  readonly hardened?: boolean | undefined;
}

/** The unit's text. It holds no secret: the machine's key and membership are in the home. */
export function unitText(options: UnitOptions): string {
  const {
    scope,
    program,
    main,
    command = ["agent"],
    home,
    relay,
    environmentFile,
    hardened = false,
  } = options;
  const isSystem = scope === "system";
  return `# Written by cmdop agent install, removed by cmdop agent uninstall.
# Settings of your own: systemctl ${isSystem ? "" : "--user "}edit ${UNIT_NAME}

[Unit]
Description=cmdop agent
${isSystem ? "Wants=network-online.target\nAfter=network-online.target\n" : ""}# A machine that nobody can reach can't be repaired: it never gives up.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${[program, main, ...command].map(commandWord).join(" ")}
# Environment= and EnvironmentFile= here are the agent's own. Jobs get what a login gives, and of these
# what policy.json names: "environment": {"pass": ["HTTPS_PROXY", "JAVA_*"]}; it can set values and name
# files too.
Environment=${assignment("CMDOP_HOME", home)}
${relay === undefined ? "" : `Environment=${assignment("CMDOP_RELAY", relay)}\n`}${environmentFile === undefined ? "" : `EnvironmentFile=-${fileName(environmentFile)}\n`}# What the journal calls it. Its lines have the journal's time.
SyslogIdentifier=cmdop-agent
Restart=always
RestartSec=2s

# The agent ends its jobs itself, records how, and hears of nothing but SIGTERM. What is left in the
# group then are programs that somebody started to stay: they live on, as after a logout.
KillMode=process
TimeoutStopSec=60s
# A job that eats all memory ends alone, not the agent with it.
OOMPolicy=continue
# Each job has a group below this unit's, so that nothing of it outlives its end unseen.
Delegate=yes
# Jobs run in this unit's group: the limit that counts is the machine's.
TasksMax=infinity
# A core file of the agent would hold the machine's key. Jobs may raise their own limit.
LimitCORE=0:infinity
# An agent that can't reach its relay says so each time; the journal is not to drown in it.
LogRateLimitIntervalSec=30s
LogRateLimitBurst=500

${hardened ? HARDENED + (isSystem ? NO_KERNEL : "") : OPEN}
[Install]
WantedBy=${isSystem ? "multi-user.target" : "default.target"}
`;
}

/** A note in the unit for readers who look for a sandbox. */
const OPEN = `# Jobs are children of the agent and inherit what is set below here, and files calls are to reach what
# its user reaches. So these are left out on purpose; each would break something that people do:
#   NoNewPrivileges, RestrictSUIDSGID                sudo, su, ping, package managers
#   ProtectSystem, ProtectHome, ReadOnlyPaths        files.write, editing /etc, builds in a home
#   PrivateTmp, PrivateDevices                       files in /tmp that others see, tmux, disks
#   ProtectKernelTunables, ProtectKernelModules      sysctl, modprobe
#   ProtectControlGroups, RestrictNamespaces         containers
#   LockPersonality, SystemCallFilter                debuggers; for a user's unit they bring
#                                                    NoNewPrivileges with them
#   MemoryDenyWriteExecute                           Node itself
# What callers may do is bound by their grants and by policy.json. Where that withholds terminal and
# agent, there are no jobs to break: cmdop agent install --hardened sets what then can be set.
`;

/** For an agent that starts no jobs. Files calls still reach what the agent's user reaches, within the policy's roots. */
const HARDENED = `# Installed with --hardened: for a policy that withholds terminal and agent. Commands and sessions
# would inherit all of this and fail in strange ways. Left out, since files calls are to see the
# machine as it is: ProtectSystem, ProtectHome, PrivateTmp (bind them with roots in policy.json).
${NO_PRIVILEGES}`;
