import type { LinkListeners, LinkLoss } from "@cmdop/sdk";
import { note } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { isoTime } from "../console/time.ts";

export const LINK_LOST = "cmdop: the link is lost, reconnecting";
export const LINK_BACK = "cmdop: the link is back";

/** A loss that has lasted this long, in milliseconds, is explained: most are over sooner. */
const EXPLAINED_AFTER_MS = 10_000;

/** The same of a machine that is known to be offline, in milliseconds: an agent that was only cut off is back sooner. */
const OFFLINE_EXPLAINED_AFTER_MS = 3_000;

/** Says on stderr when the link is lost and when it is back, where there is no screen to keep whole. */
export function sayLink(state: "lost" | "back"): void {
  note(state === "lost" ? LINK_LOST : LINK_BACK);
}

/** The same, and of a loss that lasts what is known, and for how long it is waited. `noun`: what is followed. */
export function linkMessages(machine: string | undefined, noun: "command" | "job" | "run"): LinkListeners {
  let latest: LinkLoss | undefined;
  let timer: NodeJS.Timeout | undefined;
  const explain = (): void => {
    if (latest !== undefined) note(`cmdop: ${explanation(machine, noun, latest)}`);
  };
  const explainIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(explain, ms).unref();
  };
  return {
    onLink(state, loss) {
      sayLink(state);
      latest = loss;
      if (state === "lost") explainIn(EXPLAINED_AFTER_MS);
      else clearTimeout(timer);
    },
    onOffline(loss) {
      latest = loss;
      explainIn(OFFLINE_EXPLAINED_AFTER_MS);
    },
  };
}

/** `web-1 went offline at 12:00; the command may still run there; waiting for it until 12:15`. */
export function explanation(
  machine: string | undefined,
  noun: string,
  { code, sinceMs, reconnectWindowMs }: LinkLoss,
): string {
  const name = machine === undefined ? "the machine" : printable(machine);
  const since = isoTime(sinceMs);
  const what =
    code === "MachineOffline"
      ? `${name} went offline at ${since}`
      : `${name} is out of reach since ${since} (${code})`;
  const until = isoTime(sinceMs + reconnectWindowMs);
  return `${what}; the ${noun} may still run there; waiting for it until ${until}`;
}
