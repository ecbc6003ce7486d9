import { LANE_WINDOWS, type LaneName, MAX_MESSAGE_BYTES } from "@cmdop/proto";
import { type ChannelCredentials, type ChannelOptions, Client } from "@grpc/grpc-js";
import type { ReconnectPauses } from "./reconnect.ts";

/** A ping on a silent connection, and how long its answer may take, in milliseconds: a dead peer is noticed within 20 s. */
const KEEPALIVE_MS = 10_000;

/** The two connections to one relay or agent, opened when they are first used. */
export interface Channels {
  of(lane: LaneName): Client;
  close(): void;
}

/** Prepares the channels to a grpc-js target. */
export function openChannels(
  target: string,
  credentials: ChannelCredentials,
  reconnect: ReconnectPauses,
): Channels {
  const opened = new Map<LaneName, Client>();
  return {
    of(lane) {
      let channel = opened.get(lane);
      if (channel === undefined) {
        channel = new Client(target, credentials, channelOptions(lane, reconnect));
        opened.set(lane, channel);
      }
      return channel;
    },
    close() {
      for (const channel of opened.values()) channel.close();
      opened.clear();
    },
  };
}

function channelOptions(lane: LaneName, { firstPauseMs, maxPauseMs }: ReconnectPauses): ChannelOptions {
  return {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc-node.flow_control_window": LANE_WINDOWS[lane].stream,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
    "grpc.initial_reconnect_backoff_ms": firstPauseMs,
    "grpc.max_reconnect_backoff_ms": maxPauseMs,
    // Each client of the pool holds its own connections; retries are ours, by the method table.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.enable_channelz": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
  };
}
