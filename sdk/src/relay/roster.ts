import { type ApiKey, CmdopError, type PublicKey, Roster as RosterService, signRoster } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";

/** The owner's statement of who may grant, kept by the relay. */
export class Roster {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;

  constructor(relay: MachineCaller, apiKey: () => ApiKey) {
    this.#relay = relay;
    this.#apiKey = apiKey;
  }

  /**
   * Gives a new relay its first roster; one that has any keeps it. Needs a client
   * made with the owner's key. `owners`: the public keys that may grant, this
   * one included.
   */
  async ensure(owners: readonly PublicKey[]): Promise<void> {
    const service = this.#relay.client(RosterService);
    try {
      await this.#relay.invoke("/cmdop.relay.v1.Roster/Get", (call) => service.get({}, call));
      return;
    } catch (thrown) {
      if (!(thrown instanceof CmdopError) || thrown.code !== "NotFound") throw thrown;
    }
    const { key, relay } = this.#apiKey();
    const claims = {
      seq: 1,
      iat: Math.floor(Date.now() / 1000),
      owners: [...owners],
      relays: [{ id: relay.id, addresses: [relay.address] }],
      revoked: [],
    };
    const roster = await signRoster(claims, key);
    await this.#relay.invoke("/cmdop.relay.v1.Roster/Put", (call) => service.put({ roster }, call));
  }
}
