import { once } from "node:events";
import { connect, performServerHandshake } from "node:http2";
import { describe, expect, it } from "vitest";
import { tlsPair } from "../testing/tls-pair.ts";
import { fitWindow, windowFor } from "./fit-window.ts";
import { LANE_WINDOWS } from "./lanes.ts";

const MiB = 1024 * 1024;
const { stream: MOST } = LANE_WINDOWS.download.toCaller;

describe("promise 9: a window as large as its line needs", () => {
  it("grows with the round trip, between two bounds", () => {
    expect(windowFor(0.1, MOST)).toBe(0.75 * MiB);
    expect(windowFor(50, MOST)).toBe(MOST / 2);
    expect(windowFor(100, MOST)).toBe(MOST);
    expect(windowFor(2_000, MOST)).toBe(MOST);
  });

  it("is told to the peer as soon as the line is known", async () => {
    await using pair = await tlsPair();
    const server = performServerHandshake(pair.far);
    const client = connect("http://peer", {
      createConnection: () => pair.near,
      settings: { initialWindowSize: MOST },
    });
    await once(server, "remoteSettings");
    expect(server.remoteSettings.initialWindowSize).toBe(MOST);
    fitWindow(client, LANE_WINDOWS.download.toCaller);
    await once(server, "remoteSettings");
    expect(server.remoteSettings.initialWindowSize).toBeLessThan(MOST);
    client.destroy();
    server.destroy();
  });

  it("leaves a small window alone, and an end of the session too", async () => {
    await using pair = await tlsPair();
    const server = performServerHandshake(pair.far);
    const client = connect("http://peer", { createConnection: () => pair.near });
    await once(client, "connect");
    fitWindow(client, LANE_WINDOWS.interactive.toCaller);
    expect(client.pendingSettingsAck).toBe(true); // its first settings, and nothing else
    await once(client, "localSettings");
    await new Promise((resolve) => client.ping(resolve));
    expect(client.pendingSettingsAck).toBe(false);
    fitWindow(client, LANE_WINDOWS.download.toCaller);
    client.destroy();
    server.destroy();
    fitWindow(client, LANE_WINDOWS.download.toCaller);
  });
});
