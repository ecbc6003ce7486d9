import type { LaneName } from "@cmdop/proto";
import { Channel, type Dial } from "./channel.ts";
import type { ReconnectPauses } from "./reconnect.ts";

/** The two channels to one relay or agent, made when they are first used. */
export class Lanes {
  readonly #dial: Dial;
  readonly #pauses: ReconnectPauses;
  readonly #peer: string;
  readonly #channels = new Map<LaneName, Channel>();

  /** `peer`: what is dialled, as people know it. */
  constructor(dial: Dial, pauses: ReconnectPauses, peer: string) {
    this.#dial = dial;
    this.#peer = peer;
    this.#pauses = pauses;
  }

  of(lane: LaneName): Channel {
    let channel = this.#channels.get(lane);
    if (channel === undefined) {
      channel = new Channel(this.#dial, lane, this.#pauses, this.#peer);
      this.#channels.set(lane, channel);
    }
    return channel;
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }
}
