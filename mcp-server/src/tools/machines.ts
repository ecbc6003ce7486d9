import { asData, printable } from "@cmdop/proto";
import type { MachineStatus } from "@cmdop/sdk";
import { z } from "zod";
import { MAX_LISTED_MACHINES } from "../limits.ts";
import { timeText } from "../time-text.ts";
import { defineTool, type Tool } from "../tool.ts";

const list = defineTool({
  name: "machines_list",
  title: "machines.list",
  description: "List the machines that this key reaches, and whether they are online.",
  input: z.strictObject({}),
  output: z.object({
    machines: z.array(
      z.object({
        name: z.string(),
        id: z.string(),
        online: z.boolean(),
        lastSeenMs: z.number().nullable(),
        labels: z.record(z.string(), z.string()),
      }),
    ),
    omitted: z.int().describe("Machines beyond the first ones; they can be used by name"),
  }),
  annotations: { readOnlyHint: true, openWorldHint: false },
  handler: async (_, { client }) => {
    const all = await client.machines.list();
    const listed = all.slice(0, MAX_LISTED_MACHINES);
    const omitted = all.length - listed.length;
    const rest = omitted > 0 ? [`[${omitted} more machines are not listed; they can be used by name]`] : [];
    return {
      text: [
        all.length === 0 ? "(this key reaches no machine)" : asData(listed.map(line).join("\n")),
        ...rest,
      ],
      structured: {
        machines: listed.map(({ name, id, online, lastSeenMs, labels }) => ({
          name,
          id,
          online,
          lastSeenMs,
          labels: { ...labels },
        })),
        omitted,
      },
    };
  },
});

export const MACHINE_TOOLS: readonly Tool[] = [list];

function line(machine: MachineStatus): string {
  const seen = machine.lastSeenMs !== null ? `last seen ${timeText(machine.lastSeenMs)}` : "never seen";
  const labels = Object.entries(machine.labels).map(([key, value]) => `${key}=${value}`);
  const state =
    machine.quarantinedSinceMs !== null
      ? `quarantined since ${timeText(machine.quarantinedSinceMs)}: two agents have used its key`
      : machine.online
        ? "online"
        : `offline, ${seen}`;
  return [machine.name, state, `id ${machine.id}`, ...labels].map(printable).join("  ");
}
