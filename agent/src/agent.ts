import { randomUUID } from "node:crypto";
import { realpath } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  type Admit,
  agentStateDir,
  type CmdopError,
  type LaneName,
  type MachineIdentity,
} from "@cmdop/proto";
import type { Server } from "@grpc/grpc-js";
import { admitThrough, type Gate } from "./doors/admit.ts";
import { Identifier } from "./doors/identify.ts";
import { LargeAnswers } from "./doors/large-answers.ts";
import { type LocalDoor, openLocalDoor } from "./doors/local-door.ts";
import { JobStore } from "./jobs/job-store.ts";
import { Jobs } from "./jobs/jobs.ts";
import { type Backoff, DEFAULT_BACKOFF } from "./link/backoff.ts";
import { Link, type LinkState } from "./link/link.ts";
import type { Log } from "./log.ts";
import { toolGate } from "./loop/tools/tool-gate.ts";
import type { Caller } from "./policy/caller.ts";
import { loadPolicy } from "./policy/policy.ts";
import { addServices, type Core } from "./services/services.ts";
import { DiskTrouble } from "./state/disk-trouble.ts";
import { loadMachineKey } from "./state/machine-key.ts";
import { Membership } from "./state/membership.ts";
import { makePrivateDirectory } from "./state/private-files.ts";

/** How an agent is made. */
export interface AgentOptions {
  /** CMDOP_HOME: all of it is closed to files calls, since owner, relay and profile may keep keys there too. */
  readonly home: string;
  /** Needed the first time. */
  readonly joinToken?: string | undefined;
  /** `host:port` of the relay, where it is not the one in the join token; the pin stays the token's. */
  readonly relayAddress?: string | undefined;
  /** Pauses between two attempts to reach the relay; up to 500 ms at first and 5 s later unless given. */
  readonly backoff?: Backoff | undefined;
  readonly version: string;
  readonly log: Log;
}

/** What exists while the agent runs. */
interface Running {
  readonly membership: Membership;
  readonly jobs: Jobs;
  readonly localDoor: LocalDoor;
  readonly links: Readonly<Record<LaneName, Link>>;
}

/**
 * The daemon: the same services on the local socket and on two links to the
 * relay, behind one gate. Construct, start, shutdown.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #linked = Promise.withResolvers<CmdopError | undefined>();
  #running: Running | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** The machine as its owner describes it; after start. */
  get identity(): MachineIdentity {
    if (this.#running === undefined) throw new TypeError("the agent has not been started");
    return this.#running.membership.identity;
  }

  /** Resolves at the first welcome; throws when the relay refuses this machine before that. */
  async linked(): Promise<void> {
    const refusal = await this.#linked.promise;
    if (refusal !== undefined) throw refusal;
  }

  /** Opens the local door and starts to dial. Throws when state or policy are broken, or another agent runs. */
  async start(): Promise<void> {
    const { joinToken, relayAddress, version, log, backoff = DEFAULT_BACKOFF } = this.#options;
    const stateDir = agentStateDir(this.#options.home);
    await makePrivateDirectory(stateDir);
    const machineKey = await loadMachineKey(stateDir);
    const membership = await Membership.open(stateDir, machineKey.id, { joinToken, relayAddress });
    const policy = await loadPolicy(path.join(stateDir, "policy.json"));
    const home = await realHome();
    const trouble = new DiskTrouble(log);
    const onTrouble = trouble.report.bind(trouble);
    const store = new JobStore(path.join(stateDir, "jobs"), (error) => onTrouble("a job's identity", error));
    const jobs = new Jobs({ store, onTrouble, ...policy.jobs });
    jobs.restore();
    const core: Core = {
      jobs,
      files: { stateDir: this.#options.home, home },
      machine: () => ({ ...membership.identity, agentVersion: version }),
      stateDir,
      toolGate: toolGate(() => policy, home),
    };
    const gate: Gate = {
      identifier: new Identifier(membership),
      policy: () => policy,
      home,
      largeAnswers: new LargeAnswers(),
    };
    const localDoor = await openLocalDoor(stateDir, (server) =>
      addServices(server, admitThrough("local", gate), core),
    ).catch(async (thrown) => {
      await jobs.shutdown();
      throw thrown;
    });
    const greeter = { machineKey, membership, bootId: randomUUID(), agentVersion: version };

    const link = (lane: LaneName): Link =>
      new Link({
        lane,
        greeter,
        admit: admitThrough("relay", gate),
        addServices: (server: Server, admit: Admit<Caller>) => addServices(server, admit, core),
        backoff,
        log,
        onState: (state) => this.#onLinkState(lane, state),
      });
    const links = { interactive: link("interactive"), bulk: link("bulk") };
    this.#running = { membership, jobs, localDoor, links };
    links.interactive.start();
    // In the background: a job that comes first is started all the same.
    jobs.warm();
    log.info("agent started", { machine: membership.identity.name, socket: localDoor.socketPath });
  }

  /** Ends jobs first, so that their callers still hear of it, then links and the local door; leaves no process behind. */
  async shutdown(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.jobs.shutdown();
    await Promise.all([running.links.interactive.close(), running.links.bulk.close()]);
    await running.localDoor.close();
  }

  #onLinkState(lane: LaneName, state: LinkState): void {
    const { log } = this.#options;
    if (state.kind === "up") {
      log.info("link up", { lane });
      // The first lane uses up the join token; the second follows once the relay knows this machine.
      this.#running?.links.bulk.start();
      if (lane === "interactive") this.#linked.resolve(undefined);
    }
    if (state.kind === "waiting") {
      const { error, waitMs } = state;
      log.warn("link down", {
        lane,
        code: error.code,
        error: error.message,
        next: error.next,
        waitMs: Math.round(waitMs),
      });
      if (error.code === "LinkRefused") this.#linked.resolve(error);
    }
  }
}

/** The home of the user that jobs run as. Confined paths follow no links, so `~` must stand for the real directory. */
async function realHome(): Promise<string> {
  const { homedir } = os.userInfo();
  try {
    return await realpath(homedir);
  } catch (error) {
    // A service user may have none: then `~` leads nowhere, and says so when it is used.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return homedir;
    throw error;
  }
}
