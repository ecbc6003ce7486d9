import type { Scope } from "@cmdop/proto/methods";
import type { CreatedKey, KeyInfo } from "@cmdop/sdk";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { type Cell, facts, type TableView, table } from "../console/table.ts";
import { isoTime, isoTimeOr } from "../console/time.ts";
import { homePaths } from "../home/home.ts";
import { mcpServerBlockOf } from "../mcp/config.ts";

/** Prints a new key: the secret alone on standard output, what a person wants to know beside it. */
export function printCreated(name: string, created: CreatedKey, json = false): void {
  if (json) {
    process.stdout.write(jsonLine(created));
    return;
  }
  process.stdout.write(`${created.apiKey}\n`);
  note(`key ${printable(name)} (${created.keyId}) ends on ${isoTime(created.expiresAtMs)}`);
  note(usesOf(created.apiKey));
}

/** Says of a new key that this home uses it from now on. It is not shown: it is in the profile. */
export function printSaved(name: string, { keyId, expiresAtMs }: CreatedKey, json = false): void {
  const profile = homePaths.profile();
  process.stdout.write(
    json
      ? jsonLine({ keyId, expiresAtMs, profile })
      : `key ${printable(name)} (${keyId}) is in ${profile} and ends on ${isoTime(expiresAtMs)}\nAn MCP client that runs uses it after its next start.\n`,
  );
}

/** Says how a new key is used. The key is repeated only if it is on the terminal anyway, because standard error goes into logs. */
function usesOf(apiKey: string): string {
  const isShown = process.stdout.isTTY && process.stderr.isTTY;
  const key = isShown ? apiKey : "KEY";
  return `
In a shell:
  export CMDOP_API_KEY=${key}
In an MCP client${isShown ? "" : ", with the key in the place of KEY"}:
  ${JSON.stringify(mcpServerBlockOf(key))}`;
}

/** Says of a new key what its scopes do not seem to: that it may do anything. */
export function printAuthority(scopes: readonly Scope[], paths: readonly string[] | undefined): void {
  // Of a key that may run commands, nobody thinks otherwise.
  if (!scopes.includes("files:write") || scopes.includes("terminal") || paths !== undefined) return;
  note(
    "note: files:write without --path is the full authority of the user that files calls run as on each machine: it can write ~/.bashrc, ~/.ssh/authorized_keys and cron. Bind it with --path DIRECTORY.",
  );
}

const COLUMNS = [
  { title: "NAME", minWidth: 10 },
  { title: "STATE" },
  { title: "ENDS", minWidth: 11 },
  { title: "LAST USED", minWidth: 11 },
  { title: "SCOPES", minWidth: 6 },
  { title: "MACHINES", minWidth: 8 },
  { title: "ID" },
];

/** What is said instead of ids. */
export interface IdsShown {
  /** Shortens the ids of keys. */
  readonly short: (keyId: string) => string;
  /** Names a machine by its id. */
  readonly machineName: (id: string) => string;
}

/** Keys as people read them, a line each below a heading. */
export function keyTable(
  keys: readonly KeyInfo[],
  { short, machineName }: IdsShown,
  view: TableView,
): string {
  const rows = keys.map((key) => [
    key.name,
    stateCell(key),
    isoTime(key.expiresAtMs),
    isoTimeOr(key.lastUsedMs, "never"),
    key.scopes.join(","),
    machinesText(key, machineName),
    short(key.keyId),
  ]);
  return table(COLUMNS, rows, view);
}

function stateCell({ state }: KeyInfo): Cell {
  return state === "active" ? { text: state, style: "good" } : { text: state, style: "bad" };
}

/** All that is known of one key, a line a fact. */
export function keyText(key: KeyInfo): string {
  return facts([
    ["name", key.name],
    ["id", key.keyId],
    ["state", STATES[key.state]],
    ["scopes", key.scopes.join(", ")],
    ["machines", machinesText(key)],
    ...(key.paths === undefined ? [] : [["paths", key.paths.join(", ")] as const]),
    ["made", isoTime(key.createdAtMs)],
    ["ends", isoTime(key.expiresAtMs)],
    ["last used", isoTimeOr(key.lastUsedMs, "never")],
    ["its jobs", key.jobs === "live" ? "live on when it ends or is revoked" : "end with it"],
  ]);
}

/** Names the machines that a key reaches, in the words of the options of `cmdop keys create`. `shown`: how ids are. */
export function machinesText(
  { machines }: Pick<KeyInfo, "machines">,
  shown: (id: string) => string = (id) => id,
): string {
  return machines
    .map((selector) => {
      if ("id" in selector) return shown(selector.id);
      if ("name" in selector) return selector.name;
      return Object.entries(selector.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join("&");
    })
    .join(", ");
}

/** A key as one names it in a sentence: `ci (m5hY…)`. */
export function keyNamed({ name, keyId }: Pick<KeyInfo, "name" | "keyId">): string {
  return `${printable(name)} (${printable(keyId)})`;
}

const STATES: Readonly<Record<KeyInfo["state"], string>> = {
  active: "active",
  expired: "expired",
  revoked: "revoked by the owner: relay and machines refuse it",
  blocked: "blocked: this relay refuses it; the machines hear of it only when the owner revokes it",
  orphaned: "orphaned: who signed its grant is no owner any more, so it counts nowhere",
};
