import { setImmediate } from "node:timers/promises";
import {
  addressSchema,
  bytes32Schema,
  CmdopError,
  DiskTrouble,
  LoopbackHttp,
  type PublicKey,
  splitAddress,
} from "@cmdop/proto";
import { Archives } from "./archives.ts";
import { RelayAudit } from "./audit/audit.ts";
import type { AuditBounds } from "./audit/bounds.ts";
import { auditHandlers } from "./audit/service.ts";
import { Announcer } from "./control/announcer.ts";
import { BootIds } from "./control/boot-ids.ts";
import { createGreet } from "./control/greet.ts";
import { KeyUses } from "./control/key-uses.ts";
import { LocalUpstream } from "./control/local-upstream.ts";
import { Quarantine } from "./control/quarantine.ts";
import { Receipts } from "./control/receipts.ts";
import { addServices } from "./control/services.ts";
import { SqliteStore } from "./control/sqlite-store.ts";
import { Trust } from "./control/trust.ts";
import { Authenticator } from "./data/authenticate.ts";
import { Budget, type BudgetBounds } from "./data/budget.ts";
import { FailedLogins, type LoginBounds } from "./data/failed-logins.ts";
import { FrontDoor } from "./data/front-door.ts";
import { KeyWatch } from "./data/key-watch.ts";
import { DEFAULT_TIMES, type Times } from "./data/limits.ts";
import { Links } from "./data/links.ts";
import { measured } from "./data/measured.ts";
import { Balancers } from "./data/proxy-protocol.ts";
import { filesIdentity, type Identity, makeStateDir, ownIdentity } from "./identity/identity.ts";
import { type Log, SILENT_LOG } from "./log.ts";
import { relayMetrics } from "./relay-metrics.ts";

/** Interval of certificate checks, in milliseconds: they renew a leaf near its end and reread files. */
const CERTIFICATE_CHECK_MS = 60 * 60 * 1000;

const CLOCK_JUMP =
  "the system clock has jumped; open calls are ended by the new time only after it has stayed so for a minute";

/** Options of a relay. */
export interface RelayOptions {
  /** Directory of the CA and the store; made with mode 0700 if it is missing. */
  readonly stateDir: string;
  /** Public key of the owner who may put the first roster. Later ones name the owners themselves. */
  readonly ownerPublicKey: PublicKey;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Port to listen on; 0, the default, takes any free port. */
  readonly port?: number | undefined;
  /** Loopback port of /healthz; 0 takes any free one, absent means none. */
  readonly healthPort?: number | undefined;
  /** Loopback port of /metrics, for Prometheus; 0 takes any free one, absent means none. */
  readonly metricsPort?: number | undefined;
  /** PEM files of a public certificate and of its key. Without them the relay makes its own CA. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** `host:port` by which others reach this relay, if it differs from host and port. */
  readonly publicAddress?: string | undefined;
  /** A directory with a release (npm run release), for machines that have no cmdop yet. */
  readonly archivesDir?: string | undefined;
  /** Addresses or CIDR blocks of TLS-passing load balancers that speak the PROXY protocol; default none. */
  readonly proxyProtocol?: readonly string[] | undefined;
  readonly log?: Log | undefined;
  /** Time limits that differ from the defaults. */
  readonly times?: Partial<Times> | undefined;
  /** Bounds per caller and in total that differ from the defaults. */
  readonly bounds?: Partial<BudgetBounds> | undefined;
  /** Bounds of the audit that differ from the defaults. */
  readonly auditBounds?: Partial<AuditBounds> | undefined;
  /** Bounds of failed logins that differ from the defaults. */
  readonly loginBounds?: Partial<LoginBounds> | undefined;
}

/** The parts of a listening relay. */
interface Running {
  readonly trouble: DiskTrouble;
  readonly identity: Identity;
  readonly store: SqliteStore;
  readonly keyUses: KeyUses;
  readonly trust: Trust;
  readonly audit: RelayAudit;
  readonly budget: Budget;
  readonly keyWatch: KeyWatch;
  readonly links: Links;
  readonly services: LocalUpstream;
  readonly frontDoor: FrontDoor;
  readonly metricsPort: number | undefined;
  readonly stopWatching: () => Promise<void>;
  readonly certificateTimer: NodeJS.Timeout;
  readonly port: number;
  readonly healthPort: number | undefined;
}

/** A relay. Construct it (nothing happens yet), `listen()`, and `shutdown()` at the end. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #times: Times;
  readonly #log: Log;
  readonly #balancers: Balancers;
  #running: Running | undefined;

  constructor(options: RelayOptions) {
    if (!bytes32Schema.safeParse(options.ownerPublicKey).success) {
      throw new CmdopError(
        "InvalidArgument",
        "A relay needs its owner's public key, 32 bytes as base64url.",
        {
          next: "Run cmdop init and give the key that it prints: cmdop relay --owner KEY.",
        },
      );
    }
    if (options.publicAddress !== undefined && !addressSchema.safeParse(options.publicAddress).success) {
      throw new CmdopError(
        "InvalidArgument",
        `The public address ${options.publicAddress} is not host:port.`,
      );
    }
    if ((options.certFile === undefined) !== (options.keyFile === undefined)) {
      throw new CmdopError("InvalidArgument", "A certificate needs its key, and a key its certificate.");
    }
    this.#options = options;
    this.#balancers = new Balancers(options.proxyProtocol ?? []);
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#log = options.log ?? SILENT_LOG;
  }

  /** The relay's id, which keys and tokens name. */
  get id(): string {
    return this.#started().identity.id;
  }

  get port(): number {
    return this.#started().port;
  }

  /** The port of /healthz, if there is one. */
  get healthPort(): number | undefined {
    return this.#started().healthPort;
  }

  /** The port of /metrics, if there is one. */
  get metricsPort(): number | undefined {
    return this.#started().metricsPort;
  }

  /** `host:port` by which others reach it. */
  get address(): string {
    const { publicAddress, host = "127.0.0.1" } = this.#options;
    return publicAddress ?? `${host.includes(":") ? `[${host}]` : host}:${this.port}`;
  }

  /** Opens the store and the ports. Throws InvalidArgument if one can't be opened; nothing stays open. */
  async listen(): Promise<void> {
    if (this.#running !== undefined) return;
    const { ownerPublicKey, host = "127.0.0.1", port = 0, healthPort, metricsPort } = this.#options;
    const log = this.#log;
    const times = this.#times;
    await using undo = new AsyncDisposableStack();

    await makeStateDir(this.#options.stateDir);
    const trouble = new DiskTrouble(this.#options.stateDir, log);
    undo.defer(() => trouble.close());
    const store = new SqliteStore(this.#options.stateDir, (error) => trouble.report("the store", error));
    undo.defer(() => store.close());
    const identity = await this.#identity(store.relayId());
    this.#noteIdentity(store, identity);
    const keyUses = new KeyUses(store, log);
    undo.defer(() => keyUses.close());
    const trust = await Trust.open({
      store,
      relayId: identity.id,
      firstOwner: ownerPublicKey,
      uses: keyUses,
    });
    if (!trust.owners().includes(ownerPublicKey)) {
      log.warn("the owner that this relay was started with is not among the roster's", {
        owner: ownerPublicKey,
      });
    }
    const audit = new RelayAudit({
      stateDir: this.#options.stateDir,
      bounds: this.#options.auditBounds,
      machineKey: (machineId) => trust.machine(machineId)?.publicKey,
      log,
      onTrouble: (error) => trouble.report("an audit record", error),
    });
    undo.use(audit);
    for (const part of [store, audit]) trouble.add(() => part.retry());
    trust.clock.onJump((jump) => {
      log.warn(CLOCK_JUMP, { ...jump });
      audit.recorder.clock(jump);
    });
    const budget = new Budget(this.#options.bounds);
    undo.defer(() => budget.close());
    const authenticator = new Authenticator(trust, new FailedLogins(this.#options.loginBounds));
    const keyWatch = new KeyWatch({ directory: trust, authenticator, budget, times, log });
    undo.defer(() => keyWatch.close());
    const bootIds = new BootIds();
    const receipts = new Receipts(identity.secret);
    const onRoster = (): Promise<void> => {
      keyWatch.check();
      return announcer.announce();
    };
    const links: Links = new Links({
      greet: createGreet({
        trust,
        bootIds,
        receipts,
        onRoster: () => void onRoster(),
        onCloned: (machine, address) => quarantine.begin(machine, address),
        log,
      }),
      times,
      log,
      onUp: (link) => audit.puller.up(link),
      onSeen: ({ machineId, agentVersion }) => {
        trust
          .seen(machineId, agentVersion)
          .catch((thrown) => log.error("store failed", { message: String(thrown) }));
      },
    });
    const announcer: Announcer = new Announcer({ trust, receipts }, links, log);
    const quarantine = new Quarantine({ trust, bootIds, announcer, recorder: audit.recorder, log });
    const services = new LocalUpstream((server) =>
      addServices(server, {
        trust,
        isOnline: (machineId) => links.isOnline(machineId),
        onRoster,
        audit: auditHandlers({
          chains: audit.chains,
          trust,
          checkKey: (keyId) => authenticator.checkKey(keyId),
          behind: (machineId) => audit.puller.behindOf(machineId),
          bounds: audit.bounds,
        }),
        onBlocked: () => keyWatch.check(),
        onRecord: (machineId) => announcer.announceRecord(machineId),
        onRemoved: (machineId) => {
          bootIds.forget(machineId);
          return announcer.dismiss(machineId, "the machine was removed");
        },
        onRelease: (machine) => quarantine.release(machine),
      }),
    );
    undo.defer(() => services.close());
    const { archivesDir } = this.#options;
    const archives = archivesDir === undefined ? undefined : new Archives(archivesDir, log);
    await archives?.check();
    const metrics =
      metricsPort === undefined
        ? undefined
        : relayMetrics({
            links: () => links.counts(),
            connections: () => frontDoor.counts,
            calls: () => budget.callCount,
            machines: () => trust.machines().length,
          });
    undo.defer(() => metrics?.close());
    const frontDoor: FrontDoor = new FrontDoor({
      plain: archives && ((raw) => archives.accept(raw)),
      secureContext: await identity.secureContext(),
      balancers: this.#balancers,
      directory: trust,
      authenticator,
      budget,
      recorder: metrics === undefined ? audit.recorder : measured(audit.recorder, metrics),
      links,
      machineUpstream: (machine, lane) => links.pick(machine, lane),
      relayUpstream: () => services,
      times,
      log,
    });
    undo.defer(() => frontDoor.close());
    const watched = new AsyncDisposableStack();
    undo.defer(() => watched.disposeAsync());
    const report = (): object => ({
      status: "ok",
      disk: trouble.current === "" ? "ok" : "takes nothing",
      relay: identity.id,
      links: links.counts(),
      machines: trust.machines().length,
      ...frontDoor.counts,
      calls: budget.callCount,
    });
    const pages = { "/healthz": { type: "application/json", body: () => `${JSON.stringify(report())}\n` } };
    const takenHealthPort = await serve(watched, pages, healthPort, "health");
    const takenMetricsPort = await serve(watched, metrics?.pages ?? {}, metricsPort, "metrics");
    const takenPort = await frontDoor.listen(host, port);
    const certificateTimer = setInterval(() => this.#renew(identity, frontDoor), CERTIFICATE_CHECK_MS);
    certificateTimer.unref();
    undo.move();
    this.#running = {
      trouble,
      identity,
      store,
      keyUses,
      trust,
      audit,
      budget,
      keyWatch,
      links,
      services,
      frontDoor,
      stopWatching: () => watched.disposeAsync(),
      certificateTimer,
      port: takenPort,
      healthPort: takenHealthPort,
      metricsPort: takenMetricsPort,
    };
    log.info("relay listening", { id: identity.id, address: this.address });
  }

  /** Stops taking calls, gives the running ones a limited time, and closes everything. */
  async shutdown(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearInterval(running.certificateTimer);
    running.trouble.close();
    running.audit.chains.endFollowing();
    await running.frontDoor.drain(this.#times.shutdownDrainMs);
    running.links.close("the relay is shutting down");
    // The last answers to the links' calls are sent before their connections close.
    await running.frontDoor.drain(LAST_WORDS_MS);
    await running.frontDoor.close();
    await running.services.close();
    await running.stopWatching();
    running.keyWatch.close();
    running.budget.close();
    // The open calls learn of the end by their streams, which end a moment after their connections.
    await setImmediate();
    await running.audit[Symbol.asyncDispose]();
    await running.keyUses.close();
    await running.store.close();
    this.#log.info("relay ended", {});
  }

  /** Logs the loss of an earlier store, and records in the store the relay that it belongs to. */
  #noteIdentity(store: SqliteStore, identity: Identity): void {
    if (store.isNew && identity.isKnown) {
      this.#log.error("relay.db is gone, or was emptied: this relay starts with nothing but its identity", {
        id: identity.id,
        next: "Machines that have joined come back by themselves, and bring the newest roster that they hold. The keys' grants come from the owner: cmdop owner teach, or a backup (docs/backup.md).",
      });
    }
    if (store.relayId() !== identity.id) store.setRelayId(identity.id);
  }

  /** Opens the identity. `before`: the id of the relay that the store belongs to. */
  #identity(before: string | undefined): Promise<Identity> {
    const { stateDir, certFile, keyFile, publicAddress, host = "127.0.0.1" } = this.#options;
    if (certFile !== undefined && keyFile !== undefined) return filesIdentity(stateDir, certFile, keyFile);
    const hosts = publicAddress === undefined ? [host] : [splitAddress(publicAddress).host, host];
    return ownIdentity(
      stateDir,
      hosts.filter((name) => name !== "0.0.0.0" && name !== "::"),
      before,
    );
  }

  #renew(identity: Identity, frontDoor: FrontDoor): void {
    identity.secureContext().then(
      (context) => frontDoor.setSecureContext(context),
      (thrown) =>
        this.#log.error("the certificate can't be read; the present one stays", { message: String(thrown) }),
    );
  }

  #started(): Running {
    if (this.#running === undefined) {
      throw new CmdopError(
        "Internal",
        "The relay has no port and no id before listen() and after shutdown().",
      );
    }
    return this.#running;
  }
}

/** Serves pages on a loopback port, if one was requested, and returns the port. */
async function serve(
  watched: AsyncDisposableStack,
  pages: ConstructorParameters<typeof LoopbackHttp>[0],
  port: number | undefined,
  what: string,
): Promise<number | undefined> {
  if (port === undefined) return undefined;
  const http = new LoopbackHttp(pages);
  watched.defer(() => http.close());
  return http.listen(port, what);
}

/** Time for sending the last answers of calls whose links were closed, in milliseconds. */
const LAST_WORDS_MS = 200;
