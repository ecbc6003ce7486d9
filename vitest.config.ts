import path from "node:path";
import { configDefaults, defineConfig } from "vitest/config";

/** Enough for the smallest machine we build on (2 cores): more workers would only make each other late. */
const WORKERS = 2;

/** A unit test may start real processes and TLS servers; its own limits are far below this. */
const UNIT_TIMEOUT_MS = 30_000;

/** A whole-system test starts a relay and agents and may wait for a dead link to be noticed (30 s). */
const E2E_TIMEOUT_MS = 120_000;

/** These load the machine to its limits, or count what it holds: one file at a time, after all others. */
const ALONE = [
  "many",
  "viewers",
  "cuts",
  "cut-processes",
  "audit-crash",
  "held-uploads",
  "burst",
  "stalls",
].map((name) => `e2e/${name}.test.ts`);

/** Compiled sources of the many processes that are started: each then takes half the time to begin. */
const env = { NODE_COMPILE_CACHE: path.join(import.meta.dirname, "node_modules", ".cache", "compiled") };

/** What is polled for comes at once on a quiet machine, and may take a while on a busy one. */
const POLL_TIMEOUT_MS = 10_000;

/** Makes the program that the tests start. */
const globalSetup = "./e2e/support/build-program.ts";

const expect = { poll: { timeout: POLL_TIMEOUT_MS } };

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/slowest-tests.ts"],
    projects: [
      {
        test: {
          name: "unit",
          env,
          include: ["*/src/**/*.test.ts", "scripts/**/*.test.ts"],
          expect,
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // After the units: much of their time is spent in waiting for processes, links and clocks.
        test: {
          name: "e2e",
          env,
          globalSetup,
          include: ["e2e/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ALONE],
          expect,
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e alone",
          env,
          globalSetup,
          include: ALONE,
          expect,
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
