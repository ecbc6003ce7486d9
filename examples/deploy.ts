/**
 * A deployment without the circus: run what has to be run, then look at what
 * the application itself says.
 *
 *   node examples/deploy.ts v2.1
 */
import { CMDOPClient } from "@cmdop/sdk";

/** What to run and where the application writes about its health. */
export interface DeploySteps {
  readonly pull: readonly string[];
  readonly up: readonly string[];
  readonly healthLog: string;
}

/** Deploys a version; throws where a step fails or the application is not healthy. */
export async function deploy(
  prod: CMDOPClient,
  version: string,
  { pull, up, healthLog }: DeploySteps = {
    pull: ["docker", "pull", `myapp:${version}`],
    up: ["docker", "compose", "up", "-d"],
    healthLog: "/var/log/myapp/health.log",
  },
): Promise<string> {
  await prod.terminal.execute(pull, { check: true });
  await prod.terminal.execute(up, { check: true, timeoutMs: 120_000 });

  const health = await prod.files.readText(healthLog);
  if (!health.includes("healthy")) throw new Error(`${version} is not healthy: ${health.trim()}`);
  return `${version} is healthy`;
}

if (import.meta.main) {
  await using prod = CMDOPClient.fromProfile();
  console.log(await deploy(prod, process.argv[2] ?? "latest"));
}
