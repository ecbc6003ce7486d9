import { afterEach, expect, it, vi } from "vitest";
import { logSettings, stderrLog } from "./log.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function written(settings: Parameters<typeof stderrLog>[0]): string {
  vi.restoreAllMocks();
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const log = stderrLog(settings);
  log.debug?.("attempt");
  log.info("link up", { lane: "interactive", forMs: 12 });
  log.warn("link down", { error: "a\nb" });
  return write.mock.calls.map(([text]) => String(text)).join("");
}

it("has a line an event, from its level on", () => {
  const time = String.raw`\d{4}-\S+Z`;
  expect(written({ format: "text", level: "info" })).toMatch(
    new RegExp(
      `^${time} info  link up lane="interactive" forMs=12\n${time} warn  link down error="a\\\\nb"\n$`,
    ),
  );
  expect(written({ format: "text", level: "error" })).not.toContain("link");
});

it("is JSON for programs", () => {
  const lines = written({ format: "json", level: "debug" }).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "debug", event: "attempt", time: expect.any(String) },
    { level: "info", event: "link up", forMs: 12 },
    { level: "warn", error: "a\nb" },
  ]);
});

it("is told by options before CMDOP_LOG", () => {
  vi.stubEnv("CMDOP_LOG", "json,debug");
  expect(logSettings({})).toEqual({ format: "json", level: "debug" });
  expect(logSettings({ log: "text", logLevel: "warn" })).toEqual({ format: "text", level: "warn" });
  expect(() => logSettings({ log: "xml" })).toThrow("exit 2");
  vi.stubEnv("CMDOP_LOG", "loud");
  expect(() => logSettings({})).toThrow("exit 2");
});
