import { connect } from "node:net";
import { CmdopError, generateKeyPair, HEADERS, signCallToken } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { nowS, World } from "../testing/world.ts";
import { FailedLogins, type LoginBounds } from "./failed-logins.ts";
import { Visitor } from "./visitor.ts";

const BOUNDS: LoginBounds = {
  failuresPerAddress: 5,
  forgivenPerAddressPerSecond: 1,
  failuresPerKey: 3,
  forgivenPerKeyPerSecond: 1,
  remembered: 10,
};

/** A connection that has failed already. */
function failedVisitor(address: string): Visitor {
  const visitor = new Visitor(address);
  visitor.look()(false);
  return visitor;
}

/** Bounds with a clock that the test moves, and logins told as they go, each over a connection that has failed before unless another is given. */
function door(bounds: Partial<LoginBounds> = {}) {
  let atMs = 0;
  let tokens = 0;
  const logins = new FailedLogins({ ...BOUNDS, ...bounds }, () => atMs);
  const login = (isGood: boolean) => (from: string | Visitor, keyId?: string) => {
    try {
      tokens += 1;
      const visitor = typeof from === "string" ? failedVisitor(from) : from;
      const attempt = logins.attempt(visitor, keyId, `token ${tokens}`);
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
    const here = failedVisitor("10.0.0.1");
    for (let token = 0; token < 4; token += 1) logins.attempt(here, "key", `its ${token}`).failed(true);
    fails("10.0.0.2", "key");
    expect(fails("10.0.0.2", "key")).toBe("looked at");
    expect(() => logins.attempt(here, "key", "its last").failed(true)).not.toThrow();
    expect(fails("10.0.0.1")).toBe("LimitExceeded");
  });

  it("good ones are never held against anybody", () => {
    const { logins, passes } = door();
    for (let login = 0; login < 100; login += 1) expect(passes("10.0.0.1", "key")).toBe("looked at");
    expect(logins.size).toBe(0);
  });

  it("that are under way count, each token once", () => {
    const { logins } = door();
    const here = failedVisitor("10.0.0.1");
    for (let call = 0; call < 100; call += 1) logins.attempt(here, "key", "the same");
    for (let token = 0; token < 4; token += 1) logins.attempt(here, "key", `token ${token}`);
    expect(() => logins.attempt(here, "key", "one more")).toThrowError(
      expect.objectContaining({ code: "LimitExceeded" }),
    );
  });

  it("of others at an address, and in a key's name, do not close it to a connection on which the key has proven itself", () => {
    const { fails, passes } = door();
    const victim = new Visitor("10.0.0.1");
    victim.proves("key");
    for (let count = 0; count < 50; count += 1) fails("10.0.0.1", count % 2 === 0 ? "key" : `key ${count}`);
    expect(fails("10.0.0.1", "key")).toBe("LimitExceeded");
    for (let login = 0; login < 20; login += 1) expect(passes(victim, "key")).toBe("looked at");
    // It has an account of its own, and that is bounded too.
    for (let count = 0; count < 3; count += 1) expect(fails(victim, "key")).toBe("looked at");
    expect(fails(victim, "key")).toBe("LimitExceeded");
    // What another key does over its connection is not on that account.
    expect(passes(victim, "another")).toBe("looked at");
  });

  it("of others do not close the door to a connection that has not failed; its one failure is counted", () => {
    const { logins, fails, passes, later } = door();
    for (let count = 0; count < 50; count += 1) fails(new Visitor("10.0.0.1"), "key");
    expect(passes(new Visitor("10.0.0.1"), "key")).toBe("looked at");
    const tried = new Visitor("10.0.0.1");
    expect(fails(tried, "key")).toBe("looked at");
    expect(fails(tried, "key")).toBe("LimitExceeded");
    // However many there were, what they leave behind is forgiven in the time that a full account takes.
    later(5_000);
    expect(fails(tried, "other")).toBe("looked at");
    expect(logins.size).toBeLessThan(5);
  });

  it("promise 9: are remembered up to a bound", () => {
    const { logins, fails } = door();
    for (let host = 0; host < 200; host += 1) fails(`10.0.0.${host}`, `key ${host}`);
    expect(logins.size).toBe(20);
  });
});

describe("failed logins at the front door", () => {
  const bounds = {
    failuresPerAddress: 20,
    failuresPerKey: 4,
    forgivenPerAddressPerSecond: 0,
    forgivenPerKeyPerSecond: 0,
  };

  /** A relay with a machine and a key, connections from any local address, and tokens good and forged, each another. */
  async function setUp() {
    const world = await World.start({ loginBounds: bounds });
    await world.agent("web-1");
    const key = await world.key();
    const from = async (localAddress: string) =>
      world.rawCaller({}, connect({ port: world.relay.port, host: "127.0.0.1", localAddress }));
    const attempt = async (session: Awaited<ReturnType<typeof from>>, token: string) => {
      const headers = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: "web-1" };
      return errorOf(await rawAnswer(rawCall(session, "/cmdop.v1.Files/Info", headers).end(Buffer.alloc(5))));
    };
    let signedAt = nowS();
    const token = (signer = key) => {
      signedAt -= 1;
      return signCallToken({ relayId: world.relay.id, machine: "web-1" }, signer, signedAt);
    };
    const forge = async () => `${(await token()).slice(0, -86)}${"A".repeat(86)}`;
    return { world, from, attempt, token, forge };
  }

  it("of a key that has proven itself on its connection are its own affair: bounded, while a known token, another key and another address pass", async () => {
    const { world, from, attempt, token, forge } = await setUp();
    await using _ = world;
    const here = await from("127.0.0.50");
    const known = await token();
    expect(await attempt(here, known)).toBe("status 0");
    for (let count = 0; count < 4; count += 1)
      expect(await attempt(here, await forge())).toBe("Unauthenticated");
    expect(await attempt(here, await forge())).toBe("LimitExceeded");
    expect(await attempt(here, await token())).toBe("LimitExceeded");
    expect(await attempt(here, known)).toBe("status 0");
    expect(await attempt(here, await token(await world.key()))).toBe("status 0");
    expect(await attempt(await from("127.0.0.51"), await token())).toBe("status 0");
  });

  it("of a stranger are refused before any signature is looked at, after its first", async () => {
    const { world, from, attempt, token, forge } = await setUp();
    await using _ = world;
    const here = await from("127.0.0.50");
    for (let count = 0; count < 4; count += 1)
      expect(await attempt(here, await forge())).toBe("Unauthenticated");
    expect(await attempt(here, await forge())).toBe("LimitExceeded");
    for (let count = 0; count < 16; count += 1) {
      expect(await attempt(here, await token(generateKeyPair()))).toBe("KeyUnknown");
    }
    expect(await attempt(here, await token(generateKeyPair()))).toBe("LimitExceeded");
  });

  it("of a neighbour behind the same address, in whosever name, refuse nobody who has not failed: neither a renewed token nor a new connection", async () => {
    const { world, from, attempt, token, forge } = await setUp();
    await using _ = world;
    const victim = await from("127.0.0.50");
    expect(await attempt(victim, await token())).toBe("status 0");
    const neighbours = await Promise.all(Array.from({ length: 4 }, () => from("127.0.0.50")));
    for (const neighbour of neighbours) {
      for (let count = 0; count < 12; count += 1) {
        await attempt(neighbour, await forge());
        await attempt(neighbour, await token(generateKeyPair()));
      }
      expect(await attempt(neighbour, await forge())).toBe("LimitExceeded");
    }
    for (let count = 0; count < 10; count += 1) expect(await attempt(victim, await token())).toBe("status 0");
    const again = await from("127.0.0.50");
    // Calls at once, each with a token of its own: none is refused while the first is looked at.
    const tokens = await Promise.all(Array.from({ length: 10 }, () => token()));
    expect(await Promise.all(tokens.map((each) => attempt(again, each)))).toEqual(Array(10).fill("status 0"));
  });
});
