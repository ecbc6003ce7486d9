import { rm } from "node:fs/promises";
import path from "node:path";
import { agentStateDir, PROXY_ENVIRONMENT, writePrivateFile } from "@cmdop/proto";
import { CmdopError } from "@cmdop/sdk";

/** Path of the service's environment. It is not in the unit, which everybody can read: a proxy's address may have a password. */
export function serviceEnvironmentFile(home: string): string {
  return path.join(agentStateDir(home), "service.env");
}

/**
 * Keeps the proxy of this environment for the service, or forgets the last one.
 * Returns the names of the variables that are kept.
 */
export async function keepServiceEnvironment(home: string, environment = process.env): Promise<string[]> {
  const file = serviceEnvironmentFile(home);
  const kept = PROXY_ENVIRONMENT.filter((name) => environment[name]);
  if (kept.length === 0) await rm(file, { force: true });
  else await writePrivateFile(file, serviceEnvironment(kept, environment));
  return kept;
}

function serviceEnvironment(names: readonly string[], environment: NodeJS.ProcessEnv): string {
  const lines = names.map((name) => `${name}=${quoted(name, environment[name] ?? "")}`);
  return ["# The proxy, as it was where cmdop agent install ran; the unit reads it.", ...lines, ""].join(
    "\n",
  );
}

/** A value as systemd reads it in an environment file. */
function quoted(name: string, value: string): string {
  if (/\p{Cc}/u.test(value)) {
    throw new CmdopError(
      "InvalidArgument",
      `${name} has a control character, and can't be kept for a service.`,
      {
        next: `Correct ${name}, or unset it.`,
      },
    );
  }
  return `"${value.replaceAll(/["\\$`]/g, "\\$&")}"`;
}
