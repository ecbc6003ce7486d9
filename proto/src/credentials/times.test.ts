import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { CALL_TOKEN_LIFETIME_S, CLOCK_TOLERANCE_S } from "../limits.ts";
import { checkCallTokenAudience, checkCallTokenTime, signCallToken, verifyCallToken } from "./call-token.ts";
import { TrustedClock } from "./clock.ts";
import { generateKeyPair } from "./ed25519.ts";
import { checkGrantTime, type Grant } from "./grant.ts";
import { checkJoinTokenTime, type JoinToken } from "./join-token.ts";
import { ownerKey } from "./roster.ts";
import { type StatementKind, signStatement } from "./statement.ts";

const NOW_S = 1_795_305_600;
const key = generateKeyPair();
const relayId = generateKeyPair().id;
const token = { aud: relayId, machine: "web-1", iat: NOW_S, exp: NOW_S + CALL_TOKEN_LIFETIME_S };

describe("a call token's time", () => {
  const lastS = NOW_S + CALL_TOKEN_LIFETIME_S + CLOCK_TOLERANCE_S - 1;
  const firstS = NOW_S - CLOCK_TOLERANCE_S + 1;

  it("holds for its minute and the tolerance on both sides", () => {
    for (const nowS of [firstS, NOW_S, NOW_S + CALL_TOKEN_LIFETIME_S, lastS]) checkCallTokenTime(token, nowS);
  });

  it.each([
    ["has ended", lastS + 1],
    ["is from the future", firstS - 1],
  ])("%s: TokenExpired, and the error shows both clocks", (words, nowS) => {
    expect(() => checkCallTokenTime(token, nowS)).toThrow(
      expect.objectContaining({ code: "TokenExpired", message: expect.stringContaining(words) }),
    );
    expect(() => checkCallTokenTime(token, nowS)).toThrow(new Date(nowS * 1000).toISOString());
    expect(() => checkCallTokenTime(token, nowS)).toThrow(new Date(NOW_S * 1000).toISOString());
  });

  it("a token that claims a longer life, or none, is refused", async () => {
    const kind: StatementKind<typeof token> = {
      type: "cmdop-call",
      refusal: "Unauthenticated",
      claims: z.strictObject({ aud: z.string(), machine: z.string(), iat: z.int(), exp: z.int() }),
    };
    for (const lifetimeS of [CALL_TOKEN_LIFETIME_S + 1, 0, -1]) {
      const jws = await signStatement(kind, { ...token, exp: NOW_S + lifetimeS }, key);
      await expect(verifyCallToken(jws, ownerKey([key.publicKey]))).rejects.toMatchObject({
        code: "Unauthenticated",
      });
    }
  });

  it("is rounded down to whole seconds when it is signed", async () => {
    const jws = await signCallToken({ relayId, machine: "web-1" }, key, NOW_S + 0.999);
    expect((await verifyCallToken(jws, ownerKey([key.publicKey]))).token).toEqual(token);
  });
});

describe("a call token's audience", () => {
  it("is one relay and one machine, by any of the machine's names", () => {
    checkCallTokenAudience(token, relayId, ["some-id", "web-1"]);
    checkCallTokenAudience({ ...token, machine: null }, relayId, []);
  });

  it.each([
    ["another relay", token, generateKeyPair().id, ["web-1"]],
    ["another machine", token, relayId, ["web-2"]],
    ["a machine, shown to the relay's services", token, relayId, []],
    ["the relay's services, shown to a machine", { ...token, machine: null }, relayId, ["web-1"]],
  ])("for %s: refused", (_title, shown, here, names) => {
    expect(() => checkCallTokenAudience(shown, here, names)).toThrow(
      expect.objectContaining({ code: "Unauthenticated" }),
    );
  });
});

describe("the end of what an owner signed", () => {
  const grant: Grant = {
    key: key.publicKey,
    name: "bot",
    scopes: ["terminal"],
    machines: [{ name: "*" }],
    iat: NOW_S,
    not_after: NOW_S + 10,
  };
  const joinToken: JoinToken = {
    jti: crypto.randomUUID(),
    owner: key.publicKey,
    relay: { id: relayId, address: "127.0.0.1:1" },
    name: "web-1",
    labels: {},
    uses: 1,
    iat: NOW_S,
    exp: NOW_S + 10,
  };

  it("a grant ends to the second, without tolerance", () => {
    checkGrantTime(grant, NOW_S + 9);
    expect(() => checkGrantTime(grant, NOW_S + 10)).toThrow(
      expect.objectContaining({ code: "GrantExpired" }),
    );
  });

  it("a join token ends to the second, without tolerance", () => {
    checkJoinTokenTime(joinToken, NOW_S + 9);
    expect(() => checkJoinTokenTime(joinToken, NOW_S + 10)).toThrow(
      expect.objectContaining({ code: "LinkRefused" }),
    );
  });
});

describe("TrustedClock", () => {
  it("is the system clock, in whole seconds, while that is ahead of what owners signed", () => {
    const clock = new TrustedClock(() => NOW_S * 1000 + 999);
    clock.observeOwner(NOW_S - 5);
    expect(clock.nowS()).toBe(NOW_S);
  });

  it("is an owner's time on a device that woke up in 1970, and then a caller's", () => {
    const clock = new TrustedClock(() => 0);
    clock.observeCaller(NOW_S + 100);
    expect(clock.nowS()).toBe(0);
    clock.observeOwner(NOW_S);
    expect(clock.nowS()).toBe(NOW_S);
    clock.observeCaller(NOW_S + 100);
    expect(clock.nowS()).toBe(NOW_S + 100);
  });

  it("no caller can push a right clock ahead", () => {
    const clock = new TrustedClock(() => NOW_S * 1000);
    clock.observeOwner(NOW_S - 100);
    clock.observeCaller(NOW_S + 1_000_000);
    expect(clock.nowS()).toBe(NOW_S);
  });

  it("never goes back, whatever it is shown (fuzz)", () => {
    const seen = fc.record({ owner: fc.boolean(), signedS: fc.nat(253_402_300_799) });
    fc.assert(
      fc.property(fc.nat(253_402_300_799), fc.array(seen), (systemS, observations) => {
        const clock = new TrustedClock(() => systemS * 1000);
        let before = clock.nowS();
        for (const { owner, signedS } of observations) {
          if (owner) clock.observeOwner(signedS);
          else clock.observeCaller(signedS);
          expect(clock.nowS()).toBeGreaterThanOrEqual(before);
          before = clock.nowS();
        }
      }),
    );
  });
});

describe("a system clock that jumps", () => {
  /** Makes a clock, and the two clocks of the machine that it reads, in milliseconds. */
  function clockAt(systemMs: number) {
    const hands = { systemMs, steadyMs: 0 };
    const said: string[] = [];
    const clock = new TrustedClock(
      () => hands.systemMs,
      () => hands.steadyMs,
    );
    clock.onJump(({ state, aheadMs }) => said.push(`${state} ${aheadMs}`));
    const pass = (ms: number): number => {
      hands.systemMs += ms;
      hands.steadyMs += ms;
      return clock.steadyS();
    };
    return { clock, hands, said, pass };
  }
  const DAYS_MS = 100 * 86_400_000;

  it.each([
    ["ahead", DAYS_MS],
    ["behind", -DAYS_MS],
  ])("%s for less than a minute lets in as it says, and ends nothing", (_way, jumpMs) => {
    const { clock, hands, said, pass } = clockAt(NOW_S * 1000);
    pass(5_000);
    hands.systemMs += jumpMs;
    expect(pass(1_000)).toBe(NOW_S + 6);
    expect(clock.nowS()).toBe(Math.floor(hands.systemMs / 1000));
    expect(pass(50_000)).toBe(NOW_S + 56);
    hands.systemMs -= jumpMs;
    expect(pass(30_000)).toBe(NOW_S + 86);
    expect(said).toEqual([`jumped ${jumpMs}`, `returned ${jumpMs}`]);
  });

  it("is believed after a minute; a jump meanwhile begins another minute", () => {
    const { hands, said, pass } = clockAt(NOW_S * 1000);
    for (let times = 1; times <= 2; times += 1) {
      hands.systemMs += DAYS_MS;
      expect(pass(1_000)).toBe(NOW_S + 60 * times - 59);
      expect(pass(59_000)).toBe(NOW_S + 60 * times);
    }
    expect(pass(1_000)).toBe(NOW_S + 121 + (2 * DAYS_MS) / 1000);
    expect(said).toEqual([`jumped ${DAYS_MS}`, `jumped ${2 * DAYS_MS}`, `believed ${2 * DAYS_MS}`]);
  });

  it("is followed where it is corrected by little, however often", () => {
    const { hands, said, pass } = clockAt(NOW_S * 1000);
    for (let times = 0; times < 100; times += 1) {
      hands.systemMs += 5_000;
      expect(pass(1_000)).toBe(Math.floor(hands.systemMs / 1000));
    }
    expect(said).toEqual([]);
  });
});
