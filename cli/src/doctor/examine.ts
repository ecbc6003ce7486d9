import { CMDOPClient } from "@cmdop/sdk";
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
  const agent = await examineAgent(relay?.who?.relayTimeMs);
  return [...findings, ...agent];
}

/** Checks one machine from here: the way to it, and then what it says itself. */
export async function examineAfar(name: string): Promise<Finding[]> {
  const key = findKey();
  if ("verdict" in key) return [key];
  const { findings, who } = await examineRelay(key.apiKey);
  if (who === undefined) return [...findings];
  // The other machines are not asked for.
  const way = findings.filter(({ check }) => check !== "machines");
  const found = who.machines.filter((machine) => machine.name === name || machine.id === name);
  const [machine] = found;
  if (machine === undefined) {
    const names = who.machines.slice(0, 10).map((other) => other.name);
    return [
      ...way,
      failed(
        "machine",
        `The key reaches no machine that is called ${JSON.stringify(name)}.`,
        names.length === 0
          ? "It reaches none at all."
          : `It reaches ${names.join(", ")}${who.machines.length > names.length ? ", …" : ""}.`,
      ),
    ];
  }
  if (found.length > 1)
    return [
      ...way,
      failed(
        "machine",
        `${found.length} machines are called ${JSON.stringify(name)}.`,
        "Name it by its id (cmdop machines --json), and give each a name of its own: cmdop machines rename ID NAME.",
      ),
    ];
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
    return [...way, answered, ...examineMachine(health, who.relayTimeMs)];
  } catch (thrown) {
    return [...way, failedBy("machine", thrown)];
  }
}
