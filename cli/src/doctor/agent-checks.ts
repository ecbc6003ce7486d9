import { once } from "node:events";
import { existsSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { machineState } from "@cmdop/agent";
import { isErrno } from "@cmdop/kit";
import { agentStateDir, CALLER_ALPN, connectToRelay, type RelayTarget, splitAddress } from "@cmdop/proto";
import { CMDOPClient, CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { UNIT_NAME } from "../agent/unit.ts";
import { homePaths } from "../home/home.ts";
import { ownRelayId } from "../home/own-relay.ts";
import { rememberedRelay } from "../owner/relay.ts";
import { DEFAULT_RELAY_PORT } from "../relay/default-port.ts";
import { systemdManager } from "../service/manager.ts";
import { type Finding, failed, failedBy, ok, warning } from "./finding.ts";
import { examineMachine } from "./machine-checks.ts";

/** Longest wait for a relay on this computer, in milliseconds. */
const OWN_RELAY_TIMEOUT_MS = 2_000;

/** Tells the relay's time by now; undefined where it is not known. */
type RelayClock = () => number | undefined;

/** Checks the agent of this home; nothing where this computer is no machine. */
export async function examineAgent(relayTimeMs: RelayClock): Promise<Finding[]> {
  const home = homePaths.home();
  if (!existsSync(path.join(agentStateDir(home), "membership.json"))) {
    return existsSync(path.join(homePaths.relay(), "ca.pem")) ? [await examineOwnRelay()] : [];
  }
  try {
    const { name, relay } = await machineState(home);
    if (name === undefined) {
      return [
        failed(
          "agent",
          "This computer has a join token, but no relay has welcomed it.",
          "Start cmdop agent, and read why; a token lives for an hour, and the owner makes another with cmdop join-token NAME.",
        ),
      ];
    }
    return await examineRunning(name, relay?.id, relayTimeMs);
  } catch (thrown) {
    return [failedBy("agent", thrown)];
  }
}

async function examineRunning(
  name: string,
  relayId: string | undefined,
  relayTimeMs: RelayClock,
): Promise<Finding[]> {
  const service = examineService();
  try {
    await using client = CMDOPClient.local();
    const machine = await client.health();
    return [
      ok("agent", `the agent of ${machine.name} runs here`),
      service,
      ...examineMachine(machine, relayTimeMs()),
    ];
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code !== "MachineOffline") return [failedBy("agent", thrown), service];
    const isOwnRelay = relayId !== undefined && relayId === ownRelayId();
    const start = isOwnRelay ? "Run cmdop up." : "Run cmdop agent install, or cmdop agent.";
    return [
      failed("agent", `This computer is the machine ${name}, but its agent does not run.`, start),
      service,
      ...(isOwnRelay ? [await examineOwnRelay()] : []),
    ];
  }
}

/** Looks for what starts the agent with the machine. */
function examineService(): Finding {
  const [system, user] = [systemdManager("system", UNIT_NAME), systemdManager("user", UNIT_NAME)];
  const unit = [system.unitFile, user.unitFile, OPENRC_SCRIPT].find((file) => existsSync(file));
  if (unit !== undefined) return ok("service", `started by ${unit}`);
  return system.isRunning
    ? warning("service", "No unit starts the agent with this machine.", "Run cmdop agent install.")
    : warning(
        "service",
        "Neither systemd nor OpenRC starts the agent with this machine.",
        "Let the container's or the machine's own start script run cmdop agent.",
      );
}

/** The script that the installer writes where OpenRC runs. */
const OPENRC_SCRIPT = "/etc/init.d/cmdop-agent";

/** Checks this home's own relay: whether it answers, and if not, who has its port. */
async function examineOwnRelay(): Promise<Finding> {
  const id = ownRelayId();
  const port = await ownRelayPort(id);
  if (id !== undefined && (await answers({ id, address: `127.0.0.1:${port}` }))) {
    return ok("own relay", `this home's own relay answers at port ${port}`);
  }
  const server = net.createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return failed(
      "own relay",
      "This home has a relay of its own, and it does not run.",
      "Run cmdop up, or cmdop relay.",
    );
  } catch (thrown) {
    if (!isErrno(thrown, "EADDRINUSE")) return failedBy("own relay", thrown);
    return failed(
      "own relay",
      `Another program has the port ${port} of this home's own relay.`,
      `See which: ss -ltnp 'sport = :${port}'. End it, or choose another port: cmdop up --port PORT.`,
    );
  } finally {
    server.close();
  }
}

async function answers(relay: RelayTarget): Promise<boolean> {
  try {
    (await connectToRelay({ relay, alpn: CALLER_ALPN, timeoutMs: OWN_RELAY_TIMEOUT_MS })).destroy();
    return true;
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code === "RelayUnreachable" || code === "RelayUntrusted") return false;
    throw thrown;
  }
}

/** The port that it had last; the usual one where this home's commands go to another relay. */
async function ownRelayPort(id: string | undefined): Promise<number> {
  const target = await rememberedRelay();
  const relay = target === undefined ? undefined : parseRelayTarget(target);
  return relay === undefined || relay.id !== id ? DEFAULT_RELAY_PORT : splitAddress(relay.address).port;
}
