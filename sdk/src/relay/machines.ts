import { randomUUID } from "node:crypto";
import { type ApiKey, type MachineSummary, Machines as MachinesService, signJoinToken } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";

/** A machine, as the relay sees it. */
export interface MachineStatus {
  /** The thumbprint of the machine's key. */
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** True while its agent is connected. */
  readonly online: boolean;
  /** When it was last seen, in milliseconds since 1970; null for never. */
  readonly lastSeenMs: number | null;
  readonly agentVersion: string;
}

/** What a join token says. */
export interface JoinTokenOptions {
  /** What the machine will be called. */
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Life of the token in seconds; one hour unless given. */
  readonly expiresInS?: number | undefined;
  /** Machines that may join with it; 1 unless given. */
  readonly uses?: number | undefined;
}

/** Life of a join token in seconds, unless the owner says otherwise. */
const JOIN_TOKEN_LIFETIME_S = 60 * 60;

/** The machines of a relay. */
export class Machines {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;

  constructor(relay: MachineCaller, apiKey: () => ApiKey) {
    this.#relay = relay;
    this.#apiKey = apiKey;
  }

  /** The machines that this key reaches, sorted by name. */
  async list(): Promise<MachineStatus[]> {
    const service = this.#relay.client(MachinesService);
    const { machines } = await this.#relay.invoke("/cmdop.relay.v1.Machines/List", (call) =>
      service.list({}, call),
    );
    return machines.map(machineStatus);
  }

  /** A token with which a machine joins. Needs a client made with the owner's key; nothing is sent. */
  async createJoinToken(options: JoinTokenOptions): Promise<string> {
    const { key, relay } = this.#apiKey();
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      jti: randomUUID(),
      owner: key.publicKey,
      relay: { id: relay.id, address: relay.address },
      name: options.name,
      labels: { ...options.labels },
      uses: options.uses ?? 1,
      iat,
      exp: iat + (options.expiresInS ?? JOIN_TOKEN_LIFETIME_S),
    };
    return signJoinToken(claims, key);
  }
}

/** A machine of the wire as the SDK gives it. */
export function machineStatus(summary: MachineSummary): MachineStatus {
  const { id, name, labels, online, lastSeenMs, agentVersion } = summary;
  return { id, name, labels, online, lastSeenMs: lastSeenMs === 0 ? null : lastSeenMs, agentVersion };
}
