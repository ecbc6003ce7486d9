/**
 * Give an AI hands: an agent deploys, looks whether it worked, and says so in
 * data that a program can act on. What it does is shown while it does it.
 *
 *   node examples/agent-deploy.ts myapp:v2.1
 */
import { CMDOPClient } from "@cmdop/sdk";
import { z } from "zod";

export const DeployResult = z.object({
  success: z.boolean(),
  version: z.string(),
  containersRunning: z.int(),
  errors: z.array(z.string()),
});
export type DeployResult = z.infer<typeof DeployResult>;

/** Deploys an image with an agent; `rollback` gets the errors of one that failed. */
export async function agentDeploy(
  server: CMDOPClient,
  image: string,
  { show, rollback }: { show: (line: string) => void; rollback: (errors: readonly string[]) => void },
): Promise<DeployResult> {
  const { output } = await server.agent.run(`Deploy ${image} and verify all containers are healthy`, {
    agentType: "terminal",
    outputSchema: DeployResult,
    onEvent: (event) => {
      if (event.type === "tool_call") show(`${event.tool} ${JSON.stringify(event.input)}`);
    },
  });
  if (!output.success) rollback(output.errors);
  return output;
}

if (import.meta.main) {
  await using server = CMDOPClient.fromProfile();
  const deployed = await agentDeploy(server, process.argv[2] ?? "myapp:latest", {
    show: console.error,
    rollback: (errors) => console.error("To be rolled back:", errors.join("; ")),
  });
  console.log(deployed);
}
