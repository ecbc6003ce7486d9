/**
 * A key for a team: it reaches the machines that carry the team's label, those
 * too that get it later. Who leaves the team gives the machine another label.
 *
 * The owner key is opened with the passphrase in CMDOP_OWNER_PASSPHRASE:
 *
 *   node examples/team-key.ts ID@HOST:PORT ~/.cmdop/owner/owner.key payments web-1 web-2
 */
import { CMDOPClient } from "@cmdop/sdk";

/** Gives machines to a team, and makes the team's key. */
export async function teamKey(
  owner: CMDOPClient,
  team: string,
  machines: readonly string[],
): Promise<string> {
  for (const machine of machines) await owner.machines.label(machine, { set: { team } });
  const { apiKey } = await owner.keys.create({
    name: `team-${team}`,
    scopes: ["terminal", "machines:read"],
    labels: { team },
  });
  return apiKey;
}

if (import.meta.main) {
  const [relay = "", keyFile = "", team = "", ...machines] = process.argv.slice(2);
  await using owner = await CMDOPClient.owner({ relay, keyFile });
  console.log(await teamKey(owner, team, machines));
}
