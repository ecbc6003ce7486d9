import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { formatApiKey, generateKeyPair } from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { resolveProfile, resolveRemote } from "./options.ts";

const relay = { id: generateKeyPair().id, address: "relay.example:7443" };
const apiKey = formatApiKey({ key: generateKeyPair(), relay });

describe("where a client's settings come from", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(path.join(os.tmpdir(), "cmdop-options-"));
    for (const name of ["CMDOP_API_KEY", "CMDOP_RELAY", "CMDOP_MACHINE"]) vi.stubEnv(name, undefined);
    vi.stubEnv("CMDOP_HOME", home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });
  const profile = (text: string): void =>
    writeFileSync(path.join(home, "profile.json"), text, { mode: 0o600 });

  it("an API key alone is enough", () => {
    expect(resolveRemote({ apiKey })).toMatchObject({ apiKey: { relay }, machine: undefined });
  });

  it("the environment stands behind the options", () => {
    vi.stubEnv("CMDOP_API_KEY", apiKey);
    vi.stubEnv("CMDOP_MACHINE", "web-1");
    vi.stubEnv("CMDOP_RELAY", "10.0.0.1:1");
    expect(resolveRemote({})).toMatchObject({
      apiKey: { relay: { id: relay.id, address: "10.0.0.1:1" } },
      machine: "web-1",
    });
    expect(resolveRemote({ machine: "db-1", relay: "h:2" })).toMatchObject({
      apiKey: { relay: { address: "h:2" } },
      machine: "db-1",
    });
  });

  it("CMDOP_RELAY overrides the address, never the pin", () => {
    vi.stubEnv("CMDOP_RELAY", "evil.example:443");
    expect(resolveRemote({ apiKey }).apiKey.relay.id).toBe(relay.id);
  });

  it("the profile comes last", () => {
    profile(JSON.stringify({ apiKey, machine: "laptop" }));
    expect(resolveProfile({})).toMatchObject({ machine: "laptop" });
    vi.stubEnv("CMDOP_MACHINE", "web-1");
    expect(resolveProfile({})).toMatchObject({ machine: "web-1" });
    expect(resolveProfile({ machine: "db-1" })).toMatchObject({ machine: "db-1" });
  });

  it("a profile's machine does not go with another key of the environment", () => {
    profile(JSON.stringify({ apiKey, machine: "laptop" }));
    vi.stubEnv("CMDOP_API_KEY", formatApiKey({ key: generateKeyPair(), relay }));
    expect(resolveProfile({}).machine).toBe(undefined);
  });

  it.each([
    ["no key at all", () => resolveRemote({}), "Unauthenticated"],
    ["an empty key", () => resolveRemote({ apiKey: "" }), "Unauthenticated"],
    ["a key that is none", () => resolveRemote({ apiKey: "sk-123" }), "Unauthenticated"],
    [
      "a relay that is no address",
      () => resolveRemote({ apiKey, relay: "https://relay" }),
      "InvalidArgument",
    ],
    ["no profile", () => resolveProfile({}), "Unauthenticated"],
  ])("refuses %s and says what to do", (_title, resolve, code) => {
    expect(resolve).toThrow(expect.objectContaining({ code, next: expect.stringMatching(/./) }));
  });

  it("refuses a profile that others can read", () => {
    profile(JSON.stringify({ apiKey }));
    chmodSync(path.join(home, "profile.json"), 0o640);
    expect(() => resolveProfile({})).toThrow(
      expect.objectContaining({ code: "AccessDenied", next: expect.stringContaining("chmod go-rwx") }),
    );
    expect(resolveProfile({ apiKey }).apiKey.relay).toEqual(relay);
  });

  it("never quotes a damaged profile", () => {
    profile(`{"apiKey": "${apiKey}" oops`);
    const failure = (): unknown => {
      try {
        return resolveProfile({});
      } catch (thrown) {
        return thrown;
      }
    };
    expect(JSON.stringify([String(failure()), failure()])).not.toContain(apiKey.slice(4, 40));
  });
});
