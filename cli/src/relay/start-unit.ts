import { existsSync } from "node:fs";
import { pause } from "@cmdop/kit";
import { CALLER_ALPN, connectToRelay, type RelayTarget, splitAddress } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { CmdopError } from "@cmdop/sdk";
import { logSettings, stderrLog } from "../console/log.ts";
import { inPlaceOf } from "../service/in-place-of.ts";
import { installUnit, refuseForeignUnit } from "../service/install.ts";
import type { Manager } from "../service/manager.ts";
import { outwardAddress } from "./ready.ts";
import type { RelayCommandOptions } from "./relay.ts";
import { relayOptions } from "./relay-options.ts";

/** Longest wait for a relay that systemd has started, in milliseconds. */
const START_WAIT_MS = 30_000;

/** Pause between two looks, in milliseconds. */
const LOOK_INTERVAL_MS = 250;

/**
 * Runs the relay once in this process, so that a wrong option or a taken port is
 * found before anything is installed; then writes the unit and starts it. One
 * that runs as the unit already is stopped for that, and started again whatever
 * happens. Returns the relay once it answers.
 */
export async function startUnit(
  manager: Manager,
  text: string,
  options: RelayCommandOptions,
): Promise<RelayTarget> {
  // Before another home's is stopped.
  await refuseForeignUnit(manager, text);
  const isInstalled = existsSync(manager.unitFile);
  if (isInstalled) await manager.systemctl("stop", manager.unit);
  const startAgain = async (): Promise<void> =>
    isInstalled ? manager.systemctl("start", manager.unit) : undefined;
  return inPlaceOf(startAgain, async () => {
    const target = await tryRelay(options);
    await installUnit(manager, text, true);
    await answers({ ...target, address: `${dialable(options.host)}:${options.port}` });
    return target;
  });
}

async function tryRelay(options: RelayCommandOptions): Promise<RelayTarget> {
  const relay = new Relay(await relayOptions(options, stderrLog(logSettings({}, "warn"))));
  await relay.listen();
  try {
    return { id: relay.id, address: outwardAddress(relay.address) };
  } finally {
    await relay.shutdown();
  }
}

/** The address by which a relay that listens here is dialled from here. */
function dialable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

async function answers(relay: RelayTarget): Promise<void> {
  const until = performance.now() + START_WAIT_MS;
  for (;;) {
    try {
      (await connectToRelay({ relay, alpn: CALLER_ALPN })).destroy();
      return;
    } catch (thrown) {
      if (performance.now() < until) await pause(LOOK_INTERVAL_MS);
      else {
        const { host, port } = splitAddress(relay.address);
        throw new CmdopError(
          "RelayUnreachable",
          `systemd has started the relay, but nothing answers at ${host}:${port}.`,
          {
            cause: thrown,
            next: "Read why: journalctl -u cmdop-relay.",
          },
        );
      }
    }
  }
}
