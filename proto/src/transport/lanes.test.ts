import { once } from "node:events";
import { connect, performServerHandshake } from "node:http2";
import { describe, expect, it } from "vitest";
import { tlsPair } from "../testing/tls-pair.ts";
import { applyWindows, LANE_WINDOWS, LANES } from "./lanes.ts";

describe("applyWindows", () => {
  it.each(LANES)("the peer may send what the %s lane says, to stream and session", async (lane) => {
    const windows = LANE_WINDOWS[lane].toCaller;
    await using pair = await tlsPair();
    const server = performServerHandshake(pair.far);
    const client = connect("http://peer", { createConnection: () => pair.near });
    await once(client, "remoteSettings");
    applyWindows(client, windows);
    await once(client, "localSettings");
    expect(client.state.effectiveLocalWindowSize).toBe(windows.session);
    // A round trip: what was sent before it has arrived.
    await new Promise((resolve) => client.ping(resolve));
    expect(server.remoteSettings.initialWindowSize).toBe(windows.stream);
    expect(server.state.remoteWindowSize).toBe(windows.session);
    client.destroy();
    server.destroy();
  });
});
