import { NO_KERNEL, NO_PRIVILEGES } from "../service/hardening.ts";
import { assignment, commandWord, type UnitScope } from "../service/unit-words.ts";

/** Name of the relay's unit. */
export const RELAY_UNIT = "cmdop-relay.service";

/** Values that a relay's unit is made from. */
export interface RelayUnitOptions {
  readonly scope: UnitScope;
  /** Absolute paths of Node and of the entry file. */
  readonly program: string;
  readonly main: string;
  /** The words of the relay's command, from `relay` on. */
  readonly command: readonly string[];
  /** CMDOP_HOME of the relay. */
  readonly home: string;
}

/** The unit's text. It holds no secret: the relay's keys are in the home. */
export function relayUnitText({ scope, program, main, command, home }: RelayUnitOptions): string {
  const isSystem = scope === "system";
  return `# Written by cmdop relay install, removed by cmdop relay uninstall.
# Settings of your own: systemctl ${isSystem ? "" : "--user "}edit ${RELAY_UNIT}

[Unit]
Description=cmdop relay
${isSystem ? "Wants=network-online.target\nAfter=network-online.target\n" : ""}# Machines can't be reached without it: it never gives up.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${[program, main, ...command].map(commandWord).join(" ")}
Environment=${assignment("CMDOP_HOME", home)}
SyslogIdentifier=cmdop-relay
Restart=always
RestartSec=2s
TimeoutStopSec=30s
# Each machine takes three connections, each caller up to three.
LimitNOFILE=1048576
# A core file would hold the relay's keys.
LimitCORE=0

# A relay starts no programs, and needs no file but its own home and what its options name.
${NO_PRIVILEGES}${isSystem ? SYSTEM : ""}
[Install]
WantedBy=${isSystem ? "multi-user.target" : "default.target"}
`;
}

/** Settings that only the machine's systemd may make. */
const SYSTEM = `# For --port 443.
AmbientCapabilities=CAP_NET_BIND_SERVICE
ProtectSystem=full
PrivateTmp=yes
PrivateDevices=yes
${NO_KERNEL}`;
