import {
  CALLER_ALPN,
  CLOCK_TOLERANCE_S,
  connectToRelay,
  parseApiKey,
  type RelayTarget,
  routeTo,
  splitAddress,
} from "@cmdop/proto";
import { CMDOPClient, CmdopError, type MachineStatus, type WhoAmI } from "@cmdop/sdk";
import { isoTime } from "../console/time.ts";
import { VERSION } from "../version.ts";
import { type Finding, failed, failedBy, ok, warning } from "./finding.ts";

/** Longest wait for the relay, in milliseconds. */
const RELAY_TIMEOUT_MS = 8_000;

/** A difference between two clocks that is worth a word, in milliseconds. */
const CLOCK_WARNING_MS = 10_000;

/** A key's end is announced this long before, in milliseconds. */
const KEY_WARNING_MS = 14 * 24 * 60 * 60 * 1000;

/** The way to the relay, the key's standing there, and the machines that it reaches. */
export interface RelayReport {
  readonly findings: readonly Finding[];
  /** Undefined where the relay did not answer the key. */
  readonly who: WhoAmI | undefined;
  /** The relay's clock by now, in milliseconds since 1970; undefined where it did not answer. */
  relayTimeMs(): number | undefined;
}

const NO_TIME = (): undefined => undefined;

/** Checks the way from here to the relay of a key, and the key. */
export async function examineRelay(apiKey: string): Promise<RelayReport> {
  let relay: RelayTarget;
  try {
    relay = targetOf(apiKey);
  } catch (thrown) {
    return { findings: [failedBy("key", thrown)], who: undefined, relayTimeMs: NO_TIME };
  }
  const way = await examineWay(relay);
  if (way.verdict === "failed") return { findings: [way], who: undefined, relayTimeMs: NO_TIME };
  try {
    await using client = CMDOPClient.remote({ apiKey });
    const who = await client.whoAmI();
    const answeredAt = performance.now();
    return {
      findings: [
        way,
        examineClock("clock", "The clock here", who.relayTimeMs),
        examineKey(who),
        examineVersion("relay version", "The relay", who.relayVersion),
        examineMachines(who),
      ],
      who,
      relayTimeMs: () => who.relayTimeMs + (performance.now() - answeredAt),
    };
  } catch (thrown) {
    return { findings: [way, refusedKey(thrown)], who: undefined, relayTimeMs: NO_TIME };
  }
}

function targetOf(apiKey: string): RelayTarget {
  const { relay } = parseApiKey(apiKey);
  return { id: relay.id, address: process.env.CMDOP_RELAY || relay.address };
}

async function examineWay(relay: RelayTarget): Promise<Finding> {
  try {
    const { host, port } = splitAddress(relay.address);
    const startedAt = performance.now();
    const tls = await connectToRelay({ relay, alpn: CALLER_ALPN, timeoutMs: RELAY_TIMEOUT_MS });
    tls.destroy();
    const { proxy } = routeTo(host, port);
    const through = proxy === undefined ? "" : ` by the proxy ${proxy.address}`;
    return ok(
      "relay",
      `${relay.address}${through} answers as ${relay.id}, in ${Math.round(performance.now() - startedAt)} ms`,
    );
  } catch (thrown) {
    return failedBy("relay", thrown);
  }
}

/** A key that the relay refuses; often it is not the key, but a clock. */
function refusedKey(thrown: unknown): Finding {
  const { code, message } = CmdopError.from(thrown);
  if (code === "TokenExpired") {
    return failed("clock", message, "Set the clock that is wrong: timedatectl set-ntp true, or date -s.");
  }
  return failedBy("key", thrown);
}

/** Compares a clock with the relay's: a call's token is good for a few minutes only. */
export function examineClock(
  check: string,
  whose: string,
  relayTimeMs: number,
  timeMs = Date.now(),
): Finding {
  const aheadMs = timeMs - relayTimeMs;
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const text = `${whose} is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} the relay's`;
  const next = "Set the clock that is wrong: timedatectl set-ntp true, or date -s.";
  if (seconds >= CLOCK_TOLERANCE_S) return failed(check, `${text}: calls are refused.`, next);
  if (Math.abs(aheadMs) >= CLOCK_WARNING_MS) return warning(check, `${text}.`, next);
  return ok(check, `${whose} agrees with the relay's, ${isoTime(relayTimeMs)}`);
}

function examineKey({ name, scopes, expiresAtMs, owner }: WhoAmI): Finding {
  if (owner || expiresAtMs === null) return ok("key", "an owner's key");
  const until = `${name}: ${scopes.join(", ")}; until ${isoTime(expiresAtMs)}`;
  if (expiresAtMs - Date.now() > KEY_WARNING_MS) return ok("key", until);
  return warning(
    "key",
    `The key ends soon. ${until}`,
    `Where the owner key is: cmdop keys rotate ${name}. A key of cmdop up is renewed when it starts.`,
  );
}

/** Compares a version with this cmdop's. */
export function examineVersion(check: string, whose: string, version: string): Finding {
  if (version === VERSION) return ok(check, `${whose} is of version ${version}, as this cmdop`);
  return warning(
    check,
    `${whose} is of version ${version}, this cmdop of version ${VERSION}.`,
    "Bring both to the same version: until then, newer calls may fail.",
  );
}

function examineMachines({ machines, owner }: WhoAmI): Finding {
  if (machines.length === 0) {
    return warning(
      "machines",
      "The key reaches no machine.",
      owner
        ? "Make a token with cmdop join-token NAME, and join one."
        : "Join one, or ask the owner for a key that reaches some.",
    );
  }
  const away = machines.filter(({ online }) => !online);
  const text = `${machines.length - away.length} of ${machines.length} online`;
  if (away.length === 0) return ok("machines", text);
  const names = away.slice(0, 5).map(awayText).join(", ");
  return warning(
    "machines",
    `${text}; not: ${names}${away.length > 5 ? ", …" : ""}.`,
    "There: cmdop doctor, or systemctl status cmdop-agent.",
  );
}

/** Names a machine that is away, and since when. */
export function awayText({ name, lastSeenMs, quarantinedSinceMs }: MachineStatus): string {
  if (quarantinedSinceMs !== null) return `${name} (quarantined)`;
  return `${name} (${lastSeenMs === null ? "never seen" : `last seen ${isoTime(lastSeenMs)}`})`;
}
