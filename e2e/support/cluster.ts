import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { z } from "zod";
import { CmdopProcess, runCmdop } from "./cmdop-process.ts";

const relayReadySchema = z.object({ relay: z.string(), id: z.string(), target: z.string() });
const agentReadySchema = z.object({ machine: z.object({ id: z.string(), name: z.string() }) });
const keySchema = z.object({ apiKey: z.string(), keyId: z.string() });
const tokenSchema = z.object({ token: z.string() });
const ownerSchema = z.object({ owner: z.string() });

/** A machine of the cluster. */
export interface ClusterMachine {
  readonly id: string;
  readonly name: string;
  readonly home: string;
  process: CmdopProcess;
}

/**
 * A whole cmdop in a temporary directory: an operator with the owner key, a relay
 * and any number of agents, each a real process with a home of its own. Dispose
 * it and nothing is left.
 */
export class Cluster implements AsyncDisposable {
  readonly directory: string;
  readonly operatorHome: string;
  readonly machines: ClusterMachine[] = [];
  relay: CmdopProcess;
  readonly relayAddress: string;
  readonly relayId: string;
  readonly #owner: string;

  private constructor(
    directory: string,
    owner: string,
    relay: CmdopProcess,
    ready: z.infer<typeof relayReadySchema>,
  ) {
    this.directory = directory;
    this.operatorHome = path.join(directory, "operator");
    this.#owner = owner;
    this.relay = relay;
    this.relayAddress = ready.relay;
    this.relayId = ready.id;
  }

  /** An operator and a relay; machines join with `addMachine`. */
  static async start(): Promise<Cluster> {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-e2e-"));
    const { owner } = ownerSchema.parse(
      await run(["init", "--json"], { CMDOP_HOME: path.join(directory, "operator") }),
    );
    const started = await startRelay(directory, owner, "0");
    const ready = relayReadySchema.parse(started.ready);
    return new Cluster(directory, owner, started.process, ready);
  }

  /** Joins a machine and waits until the relay has welcomed it; its agent dials `relay` where that is given, and has `env` in its environment. */
  async addMachine(
    name: string,
    { relay, env = {} }: { relay?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<ClusterMachine> {
    const target = `${this.relayId}@${this.relayAddress}`;
    const { token } = tokenSchema.parse(
      await run(["join-token", name, "--relay", target, "--json"], { CMDOP_HOME: this.operatorHome }),
    );
    const home = path.join(this.directory, `machine-${this.machines.length}`);
    const started = await CmdopProcess.start(["agent", "--json"], {
      ...env,
      CMDOP_HOME: home,
      CMDOP_JOIN_TOKEN: token,
      ...(relay === undefined ? {} : { CMDOP_RELAY: relay }),
    });
    const { id } = agentReadySchema.parse(started.ready).machine;
    const machine = { id, name, home, process: started.process };
    this.machines.push(machine);
    return machine;
  }

  /** Makes a key as the operator would. */
  async createKey(options: {
    name?: string;
    scopes: readonly string[];
    machines: readonly string[];
    paths?: readonly string[];
    expires?: string;
  }): Promise<{ apiKey: string; keyId: string }> {
    const args = ["keys", "create", options.name ?? "test", "--json"];
    for (const scope of options.scopes) args.push("--scope", scope);
    for (const machine of options.machines) args.push("--machine", machine);
    for (const directory of options.paths ?? []) args.push("--path", directory);
    if (options.expires !== undefined) args.push("--expires", options.expires);
    return keySchema.parse(await run(args, { CMDOP_HOME: this.operatorHome }));
  }

  /** A client with a new key. */
  async client(
    scopes: readonly string[] = ["terminal", "files:read", "files:write", "machines:read"],
    machines: readonly string[] = ["*"],
  ): Promise<CMDOPClient> {
    const { apiKey } = await this.createKey({ scopes, machines });
    return CMDOPClient.remote({ apiKey });
  }

  /** Starts the relay again, on the port that it had. */
  async restartRelay(): Promise<void> {
    const port = this.relayAddress.split(":").at(-1) ?? "0";
    this.relay = (await startRelay(this.directory, this.#owner, port)).process;
  }

  /** Starts a machine's agent again; with `fullDisk` where nothing can be written any more, with `shellLine` by a shell that has done this. */
  async restartAgent(
    machine: ClusterMachine,
    options: { fullDisk?: boolean; shellLine?: string } = {},
  ): Promise<void> {
    const env = { CMDOP_HOME: machine.home };
    machine.process = (await CmdopProcess.start(["agent", "--json"], env, options)).process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.machines) {
      process.signal("SIGCONT");
      await process.stop();
    }
    await this.relay.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function startRelay(directory: string, owner: string, port: string) {
  return CmdopProcess.start(["relay", "--owner", owner, "--host", "127.0.0.1", "--port", port, "--json"], {
    CMDOP_HOME: path.join(directory, "relay"),
  });
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown> {
  const { exitCode, stdout, stderr } = await runCmdop(args, env);
  if (exitCode !== 0) throw new Error(`cmdop ${args.join(" ")} exited with ${exitCode}:\n${stderr}`);
  return JSON.parse(stdout);
}
