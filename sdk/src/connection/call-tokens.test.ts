import { generateKeyPair } from "@cmdop/proto";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { z } from "zod";
import { CallTokens } from "./call-tokens.ts";

const START_MS = Date.UTC(2030, 0, 1);
const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  vi.setSystemTime(START_MS);
});
afterEach(() => void vi.useRealTimers());

function tokensOfAKey(): CallTokens {
  const key = generateKeyPair();
  return new CallTokens({ key, relay: { id: generateKeyPair().id, address: "relay.test:7443" } });
}

async function signedAtMs(token: Promise<string>): Promise<number> {
  const [, claims = ""] = (await token).split(".");
  const text = Buffer.from(claims, "base64url").toString();
  return z.object({ iat: z.number() }).parse(JSON.parse(text)).iat * 1000;
}

it("a token is used again until shortly before its end", async () => {
  const tokens = tokensOfAKey();
  const first = await tokens.for("web-1");
  vi.advanceTimersByTime(45_000);
  expect(await tokens.for("web-1")).toBe(first);
  vi.advanceTimersByTime(6_000);
  expect(await tokens.for("web-1")).not.toBe(first);
});

it.each([
  ["was an hour ahead and is corrected", -HOUR_MS],
  ["was an hour behind and is corrected", HOUR_MS],
  ["slept for a minute, in which the monotonic clock stands still", 60_000],
])("a caller whose clock %s does not show its old token", async (_what, shiftMs) => {
  const tokens = tokensOfAKey();
  await tokens.for("web-1");
  vi.setSystemTime(START_MS + shiftMs);
  expect(await signedAtMs(tokens.for("web-1"))).toBe(START_MS + shiftMs);
});

it("a token that was refused is not shown again", async () => {
  const tokens = tokensOfAKey();
  await tokens.for("web-1");
  vi.advanceTimersByTime(1_500);
  tokens.forget();
  expect(await signedAtMs(tokens.for("web-1"))).toBe(START_MS + 1_000);
});
