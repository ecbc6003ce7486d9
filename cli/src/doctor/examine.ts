import { CMDOPClient, type MachineStatus } from "@cmdop/sdk";
import { machineMeant } from "../machines/on-machine.ts";
import { examineAgent } from "./agent-checks.ts";
import { examineComputer } from "./computer.ts";
import { findKey } from "./find-key.ts";
import { type Finding, failed, failedBy, ok } from "./finding.ts";
import { examineMachine } from "./machine-checks.ts";
import { awayText, examineRelay } from "./relay-checks.ts";

/** Checks this computer: as a caller, where it has a key, and as a machine, where it has joined. */
export async function examineHere(): Promise<Finding[]> {
  const findings = examineComputer();
  if (findings.some(({ check, verdict }) => check === "home" && verdict === "failed")) return findings;
  const key = findKey();
  if ("verdict" in key) findings.push(key);
  const relay = "verdict" in key ? undefined : await examineRelay(key.apiKey);
  findings.push(...(relay?.findings ?? []));
  const agent = await examineAgent(relay?.relayTimeMs ?? (() => undefined));
  return [...findings, ...agent];
}

/** Checks one machine from here: the way to it, and then what it says itself. */
export async function examineAfar(name: string): Promise<Finding[]> {
  const key = findKey();
  if ("verdict" in key) return [key];
  const { findings, who, relayTimeMs } = await examineRelay(key.apiKey);
  if (who === undefined) return [...findings];
  // The other machines are not asked for.
  const way = findings.filter(({ check }) => check !== "machines");
  const found = machinesMeant(name, who.machines);
  if (!Array.isArray(found)) return [...way, found];
  const [machine, another] = found;
  if (machine === undefined || another !== undefined) {
    const rename = "Name it by its id, and give each a name of its own: cmdop machines rename ID NAME.";
    return [
      ...way,
      failed("machine", `${found.length} machines are called ${JSON.stringify(name)}.`, rename),
    ];
  }
  if (!machine.online) {
    return [
      ...way,
      failed(
        "machine",
        `The machine is offline: ${awayText(machine)}.`,
        "On the machine: cmdop doctor. A machine that has power and a network is back within seconds.",
      ),
    ];
  }
  try {
    await using client = CMDOPClient.fromProfile();
    const startedAt = performance.now();
    const health = await client.machine(machine.id).health();
    const answered = ok("machine", `${name} answers, in ${Math.round(performance.now() - startedAt)} ms`);
    return [...way, answered, ...examineMachine(health, relayTimeMs())];
  } catch (thrown) {
    return [...way, failedBy("machine", thrown)];
  }
}

/** The machines that a person means, as every other command finds them; a finding where there is none. */
function machinesMeant(text: string, machines: readonly MachineStatus[]): MachineStatus[] | Finding {
  try {
    const meant = machineMeant(text, machines);
    return machines.filter(({ id, name }) => name === meant || id === meant);
  } catch (thrown) {
    return failedBy("machine", thrown);
  }
}
