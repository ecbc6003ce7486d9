import { printable } from "../console/printable.ts";
import { facts } from "../console/table.ts";
import { isoTime } from "../console/time.ts";
import type { HomeStatus } from "./home-status.ts";
import { awayText } from "./relay-checks.ts";

/** Machines that are named before the rest is only counted. */
const MAX_NAMED = 10;

/** The status as people read it, in one screen. */
export function statusText({
  home,
  owner,
  relay,
  reachable,
  key,
  machines,
  agent,
  errors,
}: HomeStatus): string {
  const rows: [string, string][] = [
    ["home", home],
    ["owner", owner ?? "not here"],
    [
      "relay",
      relay === null ? "none yet: run cmdop up" : `${relay}${reachable ? "" : "  (no answer to this key)"}`,
    ],
    ["key", key === null ? "none that the relay knows" : keyText(key)],
    [
      "agent",
      agent === null
        ? "none runs here"
        : `${agent.name}, version ${agent.version}, ${agent.linked ? "linked" : "NOT linked"}`,
    ],
  ];
  if (reachable) {
    const online = machines.filter((machine) => machine.online).map(({ name }) => printable(name));
    const away = machines.filter((machine) => !machine.online).map(awayText);
    rows.push(["online", listed(online)], ["offline", listed(away)]);
  }
  return facts(rows) + errors.map((error) => `${printable(error)}\n`).join("");
}

function keyText({ name, owner, scopes, expiresAtMs }: NonNullable<HomeStatus["key"]>): string {
  if (owner || expiresAtMs === null) return "an owner's";
  return `${name}: ${scopes.join(", ")}; until ${isoTime(expiresAtMs)}`;
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
  return `${names.length}: ${names.slice(0, MAX_NAMED).join(", ")}${more}`;
}
