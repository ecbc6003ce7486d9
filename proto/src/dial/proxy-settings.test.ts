import { describe, expect, it } from "vitest";
import { proxyFor } from "./proxy-settings.ts";
import { relayFaultOf } from "./relay-fault.ts";

const proxyOf = (environment: Record<string, string>, host = "relay.example.com") =>
  proxyFor(host, 7443, environment);

describe("the proxy of the environment", () => {
  it.each([
    [{ HTTPS_PROXY: "http://proxy:3128" }, "http://proxy:3128"],
    [{ https_proxy: "http://small:1", HTTPS_PROXY: "http://large:2" }, "http://small:1"],
    [{ https_proxy: " ", HTTPS_PROXY: "http://large:2" }, "http://large:2"],
    [{ ALL_PROXY: "https://proxy" }, "https://proxy:443"],
    [{ all_proxy: "proxy" }, "http://proxy:80"],
    [{ HTTPS_PROXY: "proxy:3128/" }, "http://proxy:3128"],
    [{ HTTPS_PROXY: "http://[fd00::1]:3128" }, "http://[fd00::1]:3128"],
    [{ HTTP_PROXY: "http://proxy:3128" }, undefined],
    [{ HTTPS_PROXY: "http://proxy:3128", NO_PROXY: "example.com" }, undefined],
    [
      { HTTPS_PROXY: "http://proxy:3128", no_proxy: "other.org", NO_PROXY: "example.com" },
      "http://proxy:3128",
    ],
  ])("of %j is %s", (environment, address) => {
    expect(proxyOf(environment)?.address).toBe(address);
  });

  it.each(["127.0.0.1", "localhost", "::1"])("is none for %s", (host) => {
    expect(proxyOf({ HTTPS_PROXY: "http://proxy:3128" }, host)).toBeUndefined();
  });

  it("has user and password decoded, and does not show them", () => {
    const proxy = proxyOf({ HTTPS_PROXY: "http://us%40er:p%C3%A4ss%3A%2F%23@proxy:3128" });
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from("us@er:päss:/#").toString("base64")}`);
    expect(proxy?.address).toBe("http://proxy:3128");
  });

  it.each([
    ["socks5://user:hunter2@proxy:1080", /socks5:/],
    ["http://user:hunter2/x@proxy:3128", /not an address/],
    ["http://user:hunter2#x@proxy:3128", /not an address/],
    ["http://user:hunter2%zz@proxy:3128", /hexadecimal/],
    ["http://us%3Aer:hunter2@proxy:3128", /colon/],
    ["http://user:hunter2@:99999", /not an address/],
  ])("%s is refused, and its password is in no word of it", (value, why) => {
    let thrown: unknown;
    try {
      proxyOf({ HTTPS_PROXY: value });
    } catch (error) {
      thrown = error;
    }
    expect(relayFaultOf(thrown)).toMatchObject({
      kind: "proxy-setting",
      message: expect.stringMatching(why),
    });
    const all = JSON.stringify([
      thrown,
      thrown instanceof Error && [thrown.message, thrown.stack, thrown.cause],
    ]);
    expect(all).not.toContain("hunter2");
    expect(all).toContain("HTTPS_PROXY");
  });
});
