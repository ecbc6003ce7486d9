import * as ai from "ai";
import { describe, expect, it } from "vitest";
import { modelFailure } from "./failure.ts";

/** Makes the error that the AI SDK throws when a provider refuses. */
function refusal(statusCode: number | undefined, more: object = {}): ai.APICallError {
  const call = { message: "no", url: "http://127.0.0.1/v1", requestBodyValues: {} };
  return new ai.APICallError({ ...call, ...(statusCode === undefined ? {} : { statusCode }), ...more });
}

describe("promise 10: a model that fails teaches", () => {
  it.each([
    [undefined, /can't be reached/, /does it run/],
    [401, /status 401/, /CMDOP_MODEL_API_KEY.*model\.json/],
    [403, /status 403/, /CMDOP_MODEL_API_KEY/],
    [404, /status 404/, /CMDOP_MODEL_BASE_URL/],
    [429, /status 429/, /quota/],
    [500, /status 500/, /provider/],
  ])("status %s", (status, message, next) => {
    const { error } = modelFailure(ai, refusal(status));
    expect(error).toMatchObject({
      code: "ModelFailed",
      message: expect.stringMatching(message),
      next: expect.stringMatching(next),
    });
  });
});

describe("the pause that a provider asks for", () => {
  const info = (retryDelay: unknown) => ({
    error: { details: [{ "@type": "Help" }, { "@type": "RetryInfo", retryDelay }] },
  });

  it.each<[string, object, number | undefined]>([
    ["seconds", { responseHeaders: { "retry-after": "2" } }, 2_000],
    ["milliseconds", { responseHeaders: { "retry-after-ms": "30", "retry-after": "2" } }, 30],
    ["in the body, as Google says it", { data: info("1.5s") }, 1_500],
    ["the header before the body", { responseHeaders: { "retry-after": "2" }, data: info("9s") }, 2_000],
    ["none", {}, undefined],
    ["nonsense in a header", { responseHeaders: { "retry-after": "soon" } }, undefined],
    ["nonsense in the body", { data: info("soon") }, undefined],
    ["another body", { data: { error: { details: "none" } } }, undefined],
  ])("%s", (_what, more, expected) => {
    expect(modelFailure(ai, refusal(429, more)).pauseMs).toBe(expected);
  });

  it("a date", () => {
    const at = new Date(Date.now() + 60_000).toUTCString();
    const { pauseMs = 0 } = modelFailure(ai, refusal(429, { responseHeaders: { "retry-after": at } }));
    expect(pauseMs).toBeGreaterThan(30_000);
    expect(pauseMs).toBeLessThanOrEqual(60_000);
  });
});
