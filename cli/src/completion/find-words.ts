import type { CMDOPClient } from "@cmdop/sdk";
import type { Candidate } from "./complete.ts";

/** Most entries of a directory that are looked at. */
const MAX_ENTRIES = 10_000;

/** Asks relay and machine for names. Never for a passphrase: whoever presses Tab is in the middle of a line. */
export async function findWords(
  placeholder: string,
  word: string,
  operands: readonly string[],
): Promise<readonly Candidate[]> {
  switch (placeholder) {
    case "MACHINE":
      return withClient(machines);
    case "SOURCE":
      return withClient((client) => copyEnds(client, word));
    case "JOB":
      return withClient((client) => jobs(client, operands[0], undefined));
    case "SESSION":
      return withClient((client) => jobs(client, operands[0], "session"));
    case "KEY":
      return keys();
    case "SCOPE":
      return (await import("@cmdop/proto/methods")).SCOPES.map((value) => ({ value }));
    default:
      return [];
  }
}

async function withClient(
  ask: (client: CMDOPClient) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const { CMDOPClient } = await import("@cmdop/sdk");
  await using client = CMDOPClient.fromProfile();
  return await ask(client);
}

async function machines(client: CMDOPClient): Promise<Candidate[]> {
  const { machines } = await client.whoAmI();
  return machines.map(({ name, online }) => ({ value: name, about: online ? "online" : "offline" }));
}

async function jobs(
  client: CMDOPClient,
  machine: string | undefined,
  kind: "session" | undefined,
): Promise<Candidate[]> {
  const [{ terminalOf }, { shortIds }, { printable }] = await Promise.all([
    import("../jobs/machine-terminal.ts"),
    import("../console/short-ids.ts"),
    import("../console/printable.ts"),
  ]);
  const found = await terminalOf(client, machine).jobs({ kind });
  const short = shortIds(found.map(({ jobId }) => jobId));
  return found.map(({ jobId, command }) => ({ value: short(jobId), about: printable(command) }));
}

/** Machines as `NAME:`, and behind the colon what is in a directory there. */
async function copyEnds(client: CMDOPClient, word: string): Promise<Candidate[]> {
  const [, machine, typed] = /^([^/:]+):(.*)$/s.exec(word) ?? [];
  if (machine === undefined || typed === undefined) {
    // A slash makes it a path here.
    if (word.includes("/")) return [];
    return (await machines(client)).map(({ value, about }) => ({ value: `${value}:`, about }));
  }
  const directory = typed.slice(0, typed.lastIndexOf("/") + 1);
  const { copyEnd } = await import("../copy/copy-end.ts");
  const { path } = copyEnd(`${machine}:${directory}`);
  const { entries } = await client.machine(machine).files.list(path, { pageSize: MAX_ENTRIES });
  const isHiddenAsked = typed.slice(directory.length).startsWith(".");
  return entries
    .filter(({ name }) => isHiddenAsked || !name.startsWith("."))
    .map(({ name, type }) => ({
      value: `${machine}:${directory}${name}${type === "directory" ? "/" : ""}`,
    }));
}

/** Names of keys: those that this home's owner has signed, else those that the relay lists. */
async function keys(): Promise<readonly Candidate[]> {
  const { signedKeyNames } = await import("../owner/ledger.ts");
  const signed = await signedKeyNames();
  if (signed.length > 0) return signed.map((value) => ({ value }));
  return withClient(async (client) => (await client.keys.list()).map(({ name }) => ({ value: name })));
}
