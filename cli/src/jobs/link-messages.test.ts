import { expect, it } from "vitest";
import { explanation } from "./link-messages.ts";

const SINCE_MS = Date.UTC(2030, 0, 1, 12);
const loss = { sinceMs: SINCE_MS, reconnectWindowMs: 15 * 60_000, message: "" };

it.each([
  [
    "web-1",
    "MachineOffline",
    "web-1 went offline at 2030-01-01T12:00:00Z; the command may still run there; waiting for it until 2030-01-01T12:15:00Z",
  ],
  [
    undefined,
    "RelayUnreachable",
    "the machine is out of reach since 2030-01-01T12:00:00Z (RelayUnreachable); the command may still run there; waiting for it until 2030-01-01T12:15:00Z",
  ],
] as const)(
  "of %s that is lost by %s is said since when, and how long it is waited for",
  (machine, code, text) => {
    expect(explanation(machine, "command", { ...loss, code })).toBe(text);
  },
);
