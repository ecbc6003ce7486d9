import { type ApiKey, agentStateDir, CmdopError, localSocketPath } from "@cmdop/proto";
import type { Agent } from "./agent/agent.ts";
import type { Approvals } from "./approvals.ts";
import { Audit } from "./audit/audit.ts";
import { MachineCaller } from "./connection/caller.ts";
import { reconnectPauses } from "./connection/reconnect.ts";
import { localTransport, relayTransport, type Transport } from "./connection/transport.ts";
import type { ExplainOptions, Explanation } from "./explain.ts";
import type { Files } from "./files/files.ts";
import { MachineClient } from "./machine.ts";
import {
  cmdopHome,
  type LocalOptions,
  type OnSigned,
  type RemoteOptions,
  type ResolvedRemote,
  resolveProfile,
  resolveRemote,
} from "./options.ts";
import { type OwnerOptions, parseRelayTarget, readOwnerKey } from "./owner-key.ts";
import { Keys, type WhoAmI } from "./relay/keys.ts";
import { Machines } from "./relay/machines.ts";
import { Roster } from "./relay/roster.ts";
import type { Terminal } from "./terminal/terminal.ts";

/**
 * A client of one machine, or of all machines that a key reaches: `remote` goes through a relay, `local`
 * through this machine's own socket, `fromProfile` takes the settings in CMDOP_HOME. It connects on the first
 * call.
 */
export class CMDOPClient implements AsyncDisposable {
  readonly machines: Machines;
  readonly keys: Keys;
  readonly roster: Roster;
  readonly audit: Audit;
  /**
   * Id or name of the machine for the client's own calls, where it was given; otherwise they go to the only
   * machine of the key.
   */
  readonly machineName: string | undefined;
  readonly #transport: Transport;
  readonly #default: MachineClient;

  private constructor(transport: Transport, remote: ResolvedRemote | undefined) {
    this.#transport = transport;
    this.machineName = remote?.machine;
    const relay = new MachineCaller(transport, async () => {
      if (remote === undefined) throw notOnLocalSocket();
      return null;
    });
    const apiKey = (): ApiKey => {
      if (remote === undefined) throw notOnLocalSocket();
      return remote.apiKey;
    };
    this.machines = new Machines(relay, apiKey);
    const onSigned: OnSigned = (signed) => remote?.onSigned(signed);
    this.roster = new Roster(relay, apiKey, onSigned);
    this.keys = new Keys(relay, apiKey, this.roster, onSigned);
    this.audit = new Audit({
      relay,
      machines: this.machines,
      keys: this.keys,
      callerOf: (machineId) => new MachineCaller(transport, async () => machineId),
    });
    let sole: Promise<string> | undefined;
    this.#default = new MachineClient(
      new MachineCaller(transport, async () => {
        if (remote === undefined) return null;
        if (remote.machine !== undefined) return remote.machine;
        sole ??= soleMachine(this.keys);
        return sole.catch((thrown) => {
          // The next call asks again: the list of machines may have changed.
          sole = undefined;
          throw thrown;
        });
      }),
    );
  }

  /** Makes a client through a relay, with an API key. */
  static remote(options: RemoteOptions = {}): CMDOPClient {
    const remote = resolveRemote(options);
    return new CMDOPClient(relayTransport(remote.apiKey, remote.reconnect), remote);
  }

  /**
   * Makes a client through a relay, with the profile of CMDOP_HOME. Environment variables and `overrides`
   * take precedence.
   */
  static fromProfile(overrides: RemoteOptions = {}): CMDOPClient {
    const remote = resolveProfile(overrides);
    return new CMDOPClient(relayTransport(remote.apiKey, remote.reconnect), remote);
  }

  /**
   * Makes a client with the owner's rights: it makes and revokes keys and names machines. The owner key is
   * never taken from a profile or a variable; the program itself must name its file and open it with its
   * passphrase.
   */
  static async owner(options: OwnerOptions): Promise<CMDOPClient> {
    const relay = parseRelayTarget(options.relay);
    const apiKey = { key: await readOwnerKey(options.keyFile, options.passphrase), relay };
    const reconnect = reconnectPauses(options.reconnect);
    const onSigned = options.onSigned ?? (() => undefined);
    const remote = { apiKey, machine: undefined, reconnect, onSigned };
    return new CMDOPClient(relayTransport(apiKey, reconnect), remote);
  }

  /** Makes a client of the agent on this same machine, through its unix socket. */
  static local(options: LocalOptions = {}): CMDOPClient {
    const socketPath = localSocketPath(agentStateDir(cmdopHome(options.home)));
    return new CMDOPClient(localTransport(socketPath, reconnectPauses(options.reconnect)), undefined);
  }

  /** Returns one machine by id or name. */
  machine(name: string): MachineClient {
    if (this.#transport.kind === "local") throw notOnLocalSocket();
    return new MachineClient(new MachineCaller(this.#transport, async () => name));
  }

  /** Commands and terminals on the client's own machine. */
  get terminal(): Terminal {
    return this.#default.terminal;
  }

  /** Files of the client's own machine. */
  get files(): Files {
    return this.#default.files;
  }

  /** LLM agents on the client's own machine. */
  get agent(): Agent {
    return this.#default.agent;
  }

  /** The calls on the client's own machine that wait for a person. */
  get approvals(): Approvals {
    return this.#default.approvals;
  }

  /** Returns the decision that the client's own machine would make on a call; runs nothing. */
  explain(options: ExplainOptions): Promise<Explanation> {
    return this.#default.explain(options);
  }

  /** Describes the client's own machine, and what a person checks first when something does not work. */
  health(): ReturnType<MachineClient["health"]> {
    return this.#default.health();
  }

  /** Describes the client's own machine, and the scopes of this key on it. */
  info(): ReturnType<MachineClient["info"]> {
    return this.#default.info();
  }

  /** Returns the identity of this client at the relay, and the machines that it reaches. */
  whoAmI(): Promise<WhoAmI> {
    return this.keys.whoAmI();
  }

  /** Closes the connections, which ends open streams of this client. Jobs on machines go on. */
  async close(): Promise<void> {
    this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function soleMachine(keys: Keys): Promise<string> {
  const { machines } = await keys.whoAmI();
  const [only, ...others] = machines;
  if (only !== undefined && others.length === 0) return only.id;
  const names = machines.map(({ name }) => name).join(", ");
  throw new CmdopError(
    "MachineRequired",
    only === undefined
      ? "This key reaches no machine: none that it is granted has joined the relay."
      : `This key reaches ${machines.length} machines, so a call must name one: ${names}.`,
  );
}

function notOnLocalSocket(): CmdopError {
  return new CmdopError("InvalidArgument", "The local socket has one machine, this one, and no relay.", {
    next: "Use CMDOPClient.remote or fromProfile for machines, keys and other machines' calls.",
  });
}
