import { connect } from "node:net";
import { CmdopError, generateKeyPair, HEADERS, signCallToken } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { nowS, World } from "../testing/world.ts";
import { FailedLogins, type LoginBounds } from "./failed-logins.ts";

const BOUNDS: LoginBounds = {
  failuresPerAddress: 5,
  forgivenPerAddressPerSecond: 1,
  failuresPerKey: 3,
  forgivenPerKeyPerSecond: 1,
  remembered: 10,
};

/** Bounds with a clock that the test moves, and logins told as they go. */
function door(bounds: Partial<LoginBounds> = {}) {
  let atMs = 0;
  let tokens = 0;
  const logins = new FailedLogins({ ...BOUNDS, ...bounds }, () => atMs);
  const login = (isGood: boolean) => (address: string, keyId?: string) => {
    try {
      tokens += 1;
      const attempt = logins.attempt(address, keyId, `token ${tokens}`);
      if (isGood) attempt.passed();
      else attempt.failed(false);
      return "looked at";
    } catch (thrown) {
      return CmdopError.from(thrown).code;
    }
  };
  const later = (ms: number) => {
    atMs += ms;
  };
  return { logins, fails: login(false), passes: login(true), later };
}

describe("failed logins", () => {
  it("of one address are bounded, and forgiven with time", () => {
    const { fails, passes, later } = door();
    for (let count = 0; count < 5; count += 1) expect(fails("10.0.0.1")).toBe("looked at");
    expect(fails("10.0.0.1")).toBe("LimitExceeded");
    expect(passes("10.0.0.2")).toBe("looked at");
    later(1_000);
    expect(fails("10.0.0.1")).toBe("looked at");
    expect(passes("10.0.0.1")).toBe("LimitExceeded");
  });

  it("of one /64 count as those of one address", () => {
    const { fails } = door();
    for (let host = 1; host <= 5; host += 1) fails(`2001:db8:1:2::${host}`);
    expect(fails("2001:db8:1:2:ffff::1")).toBe("LimitExceeded");
    expect(fails("2001:db8:1:3::1")).toBe("looked at");
  });

  it("in the name of a key do not lock its holder out", () => {
    const { fails, passes } = door();
    for (let host = 1; host <= 9; host += 1) fails(`10.0.1.${host}`, "key");
    // Whoever has failed is not looked at again, long before its own address is used up.
    expect(fails("10.0.1.1", "key")).toBe("LimitExceeded");
    expect(fails("10.0.1.1", "other")).toBe("looked at");
    for (let login = 0; login < 20; login += 1) expect(passes("10.0.0.2", "key")).toBe("looked at");
  });

  it("of a key that has proven itself, and may not call any more, are not held against the key", () => {
    const { logins, fails } = door();
    for (let token = 0; token < 4; token += 1) logins.attempt("10.0.0.1", "key", `its ${token}`).failed(true);
    fails("10.0.0.2", "key");
    expect(fails("10.0.0.2", "key")).toBe("looked at");
    expect(() => logins.attempt("10.0.0.1", "key", "its last").failed(true)).not.toThrow();
    expect(fails("10.0.0.1")).toBe("LimitExceeded");
  });

  it("good ones are never held against anybody", () => {
    const { logins, passes } = door();
    for (let login = 0; login < 100; login += 1) expect(passes("10.0.0.1", "key")).toBe("looked at");
    expect(logins.size).toBe(0);
  });

  it("that are under way count, each token once", () => {
    const { logins } = door();
    for (let call = 0; call < 100; call += 1) logins.attempt("10.0.0.1", "key", "the same");
    for (let token = 0; token < 4; token += 1) logins.attempt("10.0.0.1", "key", `token ${token}`);
    expect(() => logins.attempt("10.0.0.1", "key", "one more")).toThrowError(
      expect.objectContaining({ code: "LimitExceeded" }),
    );
  });

  it("promise 9: are remembered up to a bound", () => {
    const { logins, fails } = door();
    for (let host = 0; host < 200; host += 1) fails(`10.0.0.${host}`, `key ${host}`);
    expect(logins.size).toBe(20);
  });
});

describe("failed logins at the front door", () => {
  it("are refused before any signature is looked at; the same key's good token from elsewhere, and a token that is known, pass", async () => {
    const bounds = {
      failuresPerAddress: 20,
      failuresPerKey: 4,
      forgivenPerAddressPerSecond: 0,
      forgivenPerKeyPerSecond: 0,
    };
    await using world = await World.start({ loginBounds: bounds });
    await world.agent("web-1");
    const key = await world.key();
    const from = async (localAddress: string) =>
      world.rawCaller({}, connect({ port: world.relay.port, host: "127.0.0.1", localAddress }));
    const here = await from("127.0.0.50");
    const attempt = async (session: typeof here, token: string) => {
      const headers = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: "web-1" };
      return errorOf(await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5))));
    };
    let signedAt = nowS();
    const token = (signer = key) => {
      signedAt -= 1;
      return signCallToken({ relayId: world.relay.id, machine: "web-1" }, signer, signedAt);
    };
    const forge = async () => `${(await token()).slice(0, -86)}${"A".repeat(86)}`;
    const known = await token();
    expect(await attempt(here, known)).toBe("status 0");
    for (let count = 0; count < 4; count += 1)
      expect(await attempt(here, await forge())).toBe("Unauthenticated");
    expect(await attempt(here, await forge())).toBe("LimitExceeded");
    // From an address that has failed, not even a good one is looked at; from any other it is.
    expect(await attempt(here, await token())).toBe("LimitExceeded");
    expect(await attempt(here, known)).toBe("status 0");
    expect(await attempt(await from("127.0.0.51"), await token())).toBe("status 0");
    // Another key from the address that failed: until the address itself is used up.
    const other = await world.key();
    expect(await attempt(here, await token(other))).toBe("status 0");
    for (let count = 0; count < 16; count += 1) {
      expect(await attempt(here, await token(generateKeyPair()))).toBe("KeyUnknown");
    }
    expect(await attempt(here, await token(other))).toBe("LimitExceeded");
    expect(await attempt(here, known)).toBe("status 0");
  });
});
