import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseSealedKey, SCOPES, type Scope } from "@cmdop/proto";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { z } from "zod";
import { parseDuration } from "../../cli/src/console/duration.ts";
import { CmdopProcess, type Finished, runCmdop } from "./cmdop-process.ts";

const relayReadySchema = z.object({ relay: z.string(), id: z.string(), target: z.string() });
const agentReadySchema = z.object({ machine: z.object({ id: z.string(), name: z.string() }) });
const keySchema = z.object({ apiKey: z.string(), keyId: z.string() });
const tokenSchema = z.object({ token: z.string() });
const ownerSchema = z.object({ owner: z.string() });

/** What the owner keys of tests are sealed under. */
export const OWNER_PASSPHRASE = "open for tests, and for nobody else";

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
  /** What the operator's commands have in their environment. */
  readonly operatorEnv: Readonly<Record<string, string>>;
  /** The recovery key, as it was shown once. */
  readonly recoveryKey: string;
  readonly relayHome: string;
  readonly #owner: string;
  #opened: Promise<CMDOPClient> | undefined;

  private constructor(
    directory: string,
    { owner, recoveryKey }: { owner: string; recoveryKey: string },
    relay: CmdopProcess,
    relayHome: string,
    ready: z.infer<typeof relayReadySchema>,
  ) {
    this.directory = directory;
    this.operatorHome = path.join(directory, "operator");
    this.operatorEnv = operatorEnvironment(this.operatorHome);
    this.recoveryKey = recoveryKey;
    this.relayHome = relayHome;
    this.#owner = owner;
    this.relay = relay;
    this.relayAddress = ready.relay;
    this.relayId = ready.id;
  }

  /** An operator and a relay; machines join with `addMachine`. `relayHome`: where the relay's is to be, and stay, beyond the cluster's directory. `relayProgram`: an installed cmdop for it. */
  static async start({
    relayHome,
    relayProgram,
  }: {
    relayHome?: string;
    relayProgram?: string;
  } = {}): Promise<Cluster> {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-e2e-"));
    const { stdout, stderr } = await run(
      ["init", "--json"],
      operatorEnvironment(path.join(directory, "operator")),
    );
    const { owner } = ownerSchema.parse(JSON.parse(stdout));
    const [, recoveryKey = ""] = /^recovery key: (\S+)$/m.exec(stderr) ?? [];
    const home = relayHome ?? path.join(directory, "relay");
    const started = await startRelay(home, owner, "0", relayProgram);
    const ready = relayReadySchema.parse(started.ready);
    return new Cluster(directory, { owner, recoveryKey }, started.process, home, ready);
  }

  /** Joins a machine and waits until the relay has welcomed it; its agent dials `relay` where that is given, has `env` in its environment, and `home` as CMDOP_HOME. */
  async addMachine(
    name: string,
    {
      relay,
      env = {},
      home = path.join(this.directory, `machine-${this.machines.length}`),
    }: { relay?: string; env?: Readonly<Record<string, string>>; home?: string } = {},
  ): Promise<ClusterMachine> {
    const token = await this.#joinToken(name);
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
    const { name = "test", scopes, machines, expires } = options;
    const paths = options.paths?.length === 0 ? undefined : options.paths;
    if (!isClockShifted()) {
      const expiresInS = expires === undefined ? undefined : parseDuration(expires);
      return this.#asOwner((owner) =>
        owner.keys.create({ name, scopes: scopes.map(scopeNamed), machines, paths, expiresInS }),
      );
    }
    const args = ["keys", "create", name, "--json"];
    for (const scope of scopes) args.push("--scope", scope);
    for (const machine of machines) args.push("--machine", machine);
    for (const directory of paths ?? []) args.push("--path", directory);
    if (expires !== undefined) args.push("--expires", expires);
    return keySchema.parse(await runForJson(args, this.operatorEnv));
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
    this.relay = (await startRelay(this.relayHome, this.#owner, port)).process;
  }

  /** Starts a machine's agent again, with `env` in its environment, and by a shell that has done `shellLine` where that is given. */
  async restartAgent(
    machine: ClusterMachine,
    env: Readonly<Record<string, string>> = {},
    options: { shellLine?: string } = {},
  ): Promise<void> {
    machine.process = (
      await CmdopProcess.start(["agent", "--json"], { ...env, CMDOP_HOME: machine.home }, options)
    ).process;
  }

  /** What an owner's command would do, without a process of its own that pays for the passphrase anew. */
  async #asOwner<T>(work: (owner: CMDOPClient) => Promise<T>): Promise<T> {
    this.#opened ??= this.#openOwner();
    try {
      return await work(await this.#opened);
    } catch (thrown) {
      if (CmdopError.from(thrown).code !== "KeyUnknown") throw thrown;
      // The owner was rotated meanwhile.
      await (await this.#opened).close();
      this.#opened = this.#openOwner();
      return work(await this.#opened);
    }
  }

  async #openOwner(): Promise<CMDOPClient> {
    const keyFile = path.join(this.operatorHome, "owner", "owner.key");
    const { owner, recovery } = parseSealedKey(await readFile(keyFile, "utf8"), keyFile);
    const relay = `${this.relayId}@${this.relayAddress}`;
    const client = await CMDOPClient.owner({ keyFile, relay, passphrase: OWNER_PASSPHRASE });
    await client.roster.ensure(recovery === undefined ? [owner] : [owner, recovery]);
    // The owner's commands use the relay that was named last.
    await writeFile(path.join(this.operatorHome, "owner", "relay"), `${relay}\n`, { mode: 0o600 });
    return client;
  }

  async #joinToken(name: string): Promise<string> {
    if (!isClockShifted()) return this.#asOwner((owner) => owner.machines.createJoinToken({ name }));
    const relay = `${this.relayId}@${this.relayAddress}`;
    const args = ["join-token", name, "--relay", relay, "--json"];
    return tokenSchema.parse(await runForJson(args, this.operatorEnv)).token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opened)?.close();
    for (const { process } of this.machines) {
      process.signal("SIGCONT");
      await process.stop();
    }
    await this.relay.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** This process's own clock is never shifted (with-clock.ts): then the owner is a process, too. */
function isClockShifted(): boolean {
  return process.env.NODE_OPTIONS?.includes("shifted-clock") === true;
}

function scopeNamed(name: string): Scope {
  const scope = SCOPES.find((known) => known === name);
  if (scope === undefined) throw new TypeError(`there is no scope ${name}`);
  return scope;
}

function startRelay(home: string, owner: string, port: string, program?: string) {
  const args = ["relay", "--owner", owner, "--host", "127.0.0.1", "--port", port, "--json"];
  return CmdopProcess.start(args, { CMDOP_HOME: home }, { program });
}

function operatorEnvironment(home: string): Record<string, string> {
  return { CMDOP_HOME: home, CMDOP_OWNER_PASSPHRASE: OWNER_PASSPHRASE };
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  const finished = await runCmdop(args, env);
  if (finished.exitCode === 0) return finished;
  throw new Error(`cmdop ${args.join(" ")} exited with ${finished.exitCode}:\n${finished.stderr}`);
}

async function runForJson(args: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown> {
  return JSON.parse((await run(args, env)).stdout);
}
