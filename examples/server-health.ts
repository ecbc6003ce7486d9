/**
 * An agent on the machine looks after its health, and its answer has a type.
 * The machine thinks with its own model (CMDOP_MODEL in its agent's environment).
 *
 *   node examples/server-health.ts
 */
import { CMDOPClient } from "@cmdop/sdk";
import { z } from "zod";

export const ServerHealth = z.object({
  status: z.enum(["healthy", "degraded", "down"]),
  cpuPercent: z.number(),
  memoryUsedGb: z.number(),
  diskFreeGb: z.number(),
  issues: z.array(z.string()),
});
export type ServerHealth = z.infer<typeof ServerHealth>;

/** Lets an agent find out how a server is, and calls `alert` where something is wrong. */
export async function checkHealth(
  server: CMDOPClient,
  alert: (issues: readonly string[]) => void,
): Promise<ServerHealth> {
  const result = await server.agent.run("Check server health and report issues", {
    outputSchema: ServerHealth,
    maxSteps: 20,
    timeoutMs: 120_000,
  });
  const health: ServerHealth = result.output;
  if (health.issues.length > 0) alert(health.issues);
  return health;
}

if (import.meta.main) {
  await using server = CMDOPClient.fromProfile();
  console.log(await checkHealth(server, (issues) => console.error("Issues:", issues.join("; "))));
}
