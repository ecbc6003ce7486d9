import { randomUUID } from "node:crypto";
import path from "node:path";
import type { Pauses } from "@cmdop/kit";
import {
  type Admit,
  agentStateDir,
  CmdopError,
  DiskTrouble,
  type KeyPair,
  LANES,
  type LaneName,
  localSocketPath,
  type MachineIdentity,
  type RpcServer,
} from "@cmdop/proto";
import { Approvals } from "./approvals/approvals.ts";
import { asking } from "./approvals/asking.ts";
import { MachineAudit } from "./audit/machine-audit.ts";
import { admitThrough, type Gate } from "./doors/admit.ts";
import { granted } from "./doors/granted.ts";
import { HeldCalls } from "./doors/held-calls.ts";
import { Identifier } from "./doors/identify.ts";
import { LargeAnswers } from "./doors/large-answers.ts";
import { type LocalDoor, openLocalDoor } from "./doors/local-door.ts";
import { OpenCalls } from "./doors/open-calls.ts";
import { StartedJobs } from "./doors/started-jobs.ts";
import { toolDoor } from "./doors/tool-door.ts";
import { watchStandings } from "./doors/watch-standings.ts";
import { landmark } from "./files/place/landmark.ts";
import { UnfinishedLog } from "./files/unfinished/unfinished-log.ts";
import { FilesProcess } from "./files-process/files-process.ts";
import type { Job } from "./jobs/job.ts";
import { JobStore } from "./jobs/job-store.ts";
import { Jobs } from "./jobs/jobs.ts";
import { DEFAULT_BACKOFF, Link, type LinkState } from "./link/link.ts";
import { OutageLog } from "./link/outage-log.ts";
import type { Log } from "./log.ts";
import { takeModelKeys } from "./loop/model-environment.ts";
import { Schemas } from "./loop/schema/schemas.ts";
import type { Caller } from "./policy/caller.ts";
import { explain } from "./policy/explain.ts";
import { LivePolicy } from "./policy/live-policy.ts";
import { policyFile } from "./policy/policy-file.ts";
import type { Redact } from "./policy/redact.ts";
import { type Measured, serveMetrics } from "./serve-metrics.ts";
import { healthOf } from "./services/health.ts";
import type { MachineOptions } from "./services/machine.ts";
import { addServices, type Core } from "./services/services.ts";
import { loadMachineKey } from "./state/machine-key.ts";
import { Membership } from "./state/membership.ts";
import { ownProgram } from "./state/own-program.ts";
import { checkPrivateDirectory, makePrivateDirectory } from "./state/private-files.ts";

/** What a shutdown waits for the ends of calls, so that they are recorded, in milliseconds. */
const CALLS_END_MS = 1_000;

/** How an agent is made. */
export interface AgentOptions {
  /** CMDOP_HOME: all of it is closed to files calls, since owner, relay and profile may keep keys there too. */
  readonly home: string;
  /** Needed the first time. */
  readonly joinToken?: string | undefined;
  /** `host:port` of the relay, where it is not the one in the join token; the pin stays the token's. */
  readonly relayAddress?: string | undefined;
  /** Pauses between two attempts to reach the relay; up to 500 ms at first and 5 s later unless given. */
  readonly backoff?: Pauses | undefined;
  readonly version: string;
  readonly log: Log;
  /** The loopback port of /metrics, for Prometheus; 0 takes any free one, absent means none. */
  readonly metricsPort?: number | undefined;
}

/** Said once, where it is so: the environment that a process was started with can't be taken back. */
const KEY_IN_ENVIRONMENT =
  "a model's key is in the environment that the agent was started with: whatever runs as the agent's own user, its jobs too, can read it";
const KEY_NEXT =
  "Let jobs run as another user (user in policy.json), and put the key into model.json (0600) in the state directory.";

const NOT_LINKED_YET = new CmdopError("LinkLost", "The relay has not been reached since the agent started.", {
  next: "Wait for the first attempt to end; its error is in the agent's log.",
});

/** As a machine looks that has slept, too. */
const CLOCK_JUMP =
  "the system clock has moved against the time that has passed; what runs is ended by it only when it has stood by that for a minute";

/** What exists while the agent runs. */
interface Running {
  readonly membership: Membership;
  readonly policy: LivePolicy;
  readonly approvals: Approvals;
  readonly jobs: Jobs;
  readonly openCalls: OpenCalls;
  readonly audit: MachineAudit;
  readonly files: FilesProcess;
  readonly unfinished: UnfinishedLog;
  readonly stopWatching: () => void;
  readonly measured: Measured | undefined;
  readonly localDoor: LocalDoor;
  readonly links: Readonly<Record<LaneName, Link>>;
}

/**
 * The daemon: the same services on the local socket and on its links to the
 * relay, behind one gate. Construct, start, shutdown.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #linked = Promise.withResolvers<CmdopError | undefined>();
  readonly #outages: OutageLog;
  #running: Running | undefined;
  /** The reason why the relay can't reach this machine; undefined while it can. */
  #linkError: CmdopError | undefined = NOT_LINKED_YET;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#outages = new OutageLog(options.log);
  }

  /** The machine as its owner describes it; after start. */
  get identity(): MachineIdentity {
    if (this.#running === undefined) throw new TypeError("the agent has not been started");
    return this.#running.membership.identity;
  }

  /** The port of /metrics, where there is one. */
  get metricsPort(): number | undefined {
    return this.#running?.measured?.port;
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
    // Before anything is started that could inherit them.
    const hasModelKey = takeModelKeys();
    await makePrivateDirectory(stateDir);
    // The policy may be read by everybody, and is looked at where it is loaded; the socket is made anew.
    await checkPrivateDirectory(stateDir, {
      except: ["policy.json", path.basename(localSocketPath(stateDir))],
    });
    const [state, program] = await Promise.all([landmark(path.resolve(this.#options.home)), ownProgram()]);
    const machineKey = await loadMachineKey(stateDir);
    const trouble = new DiskTrouble(stateDir, log);
    const onTrouble = trouble.report.bind(trouble);
    const membership = await Membership.open(stateDir, machineKey.id, {
      joinToken,
      relayAddress,
      onTrouble: (error) => onTrouble("what the owner said", error),
    });
    const policy = await LivePolicy.open({ file: policyFile(this.#options.home), log });
    // The audit can be opened only behind the store.
    const losses: string[] = [];
    let onLoss = (what: string): unknown => losses.push(what);
    const store = new JobStore(
      path.join(stateDir, "jobs"),
      (error) => onTrouble("a job's identity", error),
      (what) => {
        log.error("jobs lost", { message: what });
        onLoss(what);
      },
    );
    // Behind the store, which only one agent at a time can have open.
    const audit = this.#openAudit(stateDir, machineKey, store, onTrouble, () => policy.redact);
    onLoss = (what) => audit.lost(what);
    for (const what of losses) audit.lost(what);
    membership.clock.onJump((jump) => {
      log.warn(CLOCK_JUMP, { ...jump });
      audit.clock(jump);
    });
    const openCalls = new OpenCalls();
    const startedJobs = new StartedJobs(openCalls, (keyId) => void jobs.endLeftBehind(keyId));
    const onRunning = (job: Job): void => {
      startedJobs.add(job);
      audit.watch(job);
    };
    const jobs = new Jobs({ store, onTrouble, onRunning });
    jobs.govern(policy.jobRules);
    audit.policy({ hash: policy.hash });
    policy.onChange((change) => {
      jobs.govern(policy.jobRules);
      audit.policy(change);
      openCalls.judge();
      files.userMayHaveChanged();
    });
    jobs.restore();
    const unfinished = new UnfinishedLog(path.join(stateDir, "unfinished.log"));
    const files = new FilesProcess({
      notes: unfinished,
      everywhere: () => ({ state, program, home: policy.home, roots: [] }),
      user: () => policy.user,
      onTrouble,
      log,
    });
    const approvals = new Approvals({
      onEvent: (event) => audit.approval(event),
      onTrouble: (error) => onTrouble("an audit record", error),
    });
    const ask = asking(approvals, jobs, policy);
    const core: Core = {
      jobs,
      stateDir,
      toolGate: toolDoor({ audit, ask, policy }),
      schemas: new Schemas(),
      approvals,
      files: {
        work: files,
        state,
        program,
        get home() {
          return policy.home;
        },
      },
      machine: this.#describe(stateDir, membership, policy, trouble),
      signHead: (nonce) => audit.signHead(audit.log.head, nonce),
    };
    const gate: Gate = {
      identifier: new Identifier(membership),
      policy,
      ask,
      audit,
      openCalls,
      startedJobs,
      largeAnswers: new LargeAnswers(),
      measure: (path) => measured?.begin(path) ?? (() => undefined),
    };
    const measured = await serveMetrics(this.#options.metricsPort, jobs);
    const heldCalls = new HeldCalls(gate.identifier);
    const localDoor = await openLocalDoor(
      stateDir,
      (server) => addServices(server, admitThrough("local", gate), core),
      {
        watch: (call) => heldCalls.watch("local", call),
        onTrouble: (error) => onTrouble("the local socket", error),
      },
    ).catch(async (thrown) => {
      await policy.close();
      await measured?.close();
      await jobs.shutdown(async () => audit.close());
      throw thrown;
    });
    // The store first: by it alone can the others know that no other agent is at work here.
    for (const part of [store, audit, membership, localDoor]) trouble.add(() => part.retry());
    // Only now is it certain that no other agent is at work on what was left unfinished.
    files.warm();
    const stopStandings = watchStandings(membership, [openCalls, startedJobs]);
    const stopWatching = (): void => {
      trouble.close();
      stopStandings();
      heldCalls.close();
    };
    const greeter = { machineKey, membership, audit, bootId: randomUUID(), agentVersion: version };

    const link = (lane: LaneName): Link =>
      new Link({
        lane,
        greeter,
        admit: admitThrough("relay", gate),
        watch: (call) => heldCalls.watch("relay", call),
        addServices: (server: RpcServer, admit: Admit<Caller>) => addServices(server, admit, core),
        backoff,
        log,
        onState: (state) => this.#onLinkState(lane, state),
      });
    const links = { interactive: link("interactive"), download: link("download"), upload: link("upload") };
    this.#running = {
      membership,
      policy,
      approvals,
      jobs,
      openCalls,
      audit,
      files,
      unfinished,
      stopWatching,
      measured,
      localDoor,
      links,
    };
    links.interactive.start();
    // In the background: a job that comes first is started all the same.
    jobs.warm();
    if (hasModelKey && policy.policy.user === undefined) log.warn(KEY_IN_ENVIRONMENT, { next: KEY_NEXT });
    log.info("agent started", { machine: membership.identity.name, socket: localDoor.socketPath });
  }

  /** Ends jobs first, so that their callers still hear of it, then links and the local door; leaves no process behind. */
  async shutdown(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.policy.close();
    running.approvals.close();
    // The audit has no lock of its own: another agent may begin when the store is closed.
    await running.jobs.shutdown(async () => {
      await Promise.all(LANES.map((lane) => running.links[lane].close()));
      await running.localDoor.close();
      running.stopWatching();
      await running.measured?.close();
      await running.openCalls.drained(CALLS_END_MS);
      await running.files.close();
      running.unfinished.close();
      await running.membership.settled();
      running.audit.close();
    });
  }

  #describe(
    stateDir: string,
    membership: Membership,
    policy: LivePolicy,
    trouble: DiskTrouble,
  ): MachineOptions {
    return {
      health: healthOf({
        stateDir,
        relay: membership.relay,
        linkError: () => this.#linkError,
        home: () => policy.home,
        lineShell: () => policy.shells.lineShell,
      }),
      facts: () => ({
        ...membership.identity,
        agentVersion: this.#options.version,
        user: policy.userName,
        home: policy.home,
        policyError: policy.error?.message ?? "",
        diskError: trouble.current,
      }),
      explain: async (grant, method, paths) => {
        const identity = await granted(grant, membership).catch(CmdopError.from);
        if (identity instanceof CmdopError) return { decision: "deny", error: identity };
        return explain(identity, { method, paths }, policy.policy, policy.home);
      },
    };
  }

  #openAudit(
    stateDir: string,
    machineKey: KeyPair,
    store: JobStore,
    onTrouble: (what: string, error: unknown) => void,
    redact: () => Redact,
  ): MachineAudit {
    const { version, log } = this.#options;
    try {
      return new MachineAudit({
        directory: path.join(stateDir, "audit"),
        machineKey,
        version,
        redact,
        blocked: () => store.blocked,
        onTrouble: (error) => onTrouble("an audit record", error),
        onRepair: (message) => log.error("audit chain", { message }),
      });
    } catch (thrown) {
      store.close();
      throw thrown;
    }
  }

  #suspectOthers(lane: LaneName): void {
    for (const other of LANES) if (other !== lane) this.#running?.links[other].suspect();
  }

  #onLinkState(lane: LaneName, state: LinkState): void {
    if (lane === "interactive") {
      if (state.kind === "up") this.#linkError = undefined;
      if (state.kind === "waiting") this.#linkError = state.error;
    }
    if (state.kind === "up") {
      this.#outages.up(lane);
      // The first lane uses up the join token; the others follow once the relay knows this machine.
      this.#running?.links.download.start();
      this.#running?.links.upload.start();
      if (lane === "interactive") this.#linked.resolve(undefined);
    }
    if (state.kind === "waiting") {
      const { error } = state;
      if (error.code === "LinkLost") this.#suspectOthers(lane);
      this.#outages.failed(lane, error);
      const isRefusal = error.code === "LinkRefused" || error.code === "MachineQuarantined";
      if (isRefusal) this.#linked.resolve(error);
    }
  }
}
