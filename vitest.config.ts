import { defineConfig } from "vitest/config";

/** Enough for the smallest machine we build on (2 cores): more workers would only make each other late. */
const WORKERS = 2;

/** A unit test may start real processes and TLS servers; its own limits are far below this. */
const UNIT_TIMEOUT_MS = 30_000;

/** A whole-system test starts a relay and agents and may wait for a dead link to be noticed (30 s). */
const E2E_TIMEOUT_MS = 120_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["*/src/**/*.test.ts", "scripts/**/*.test.ts"],
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // After the units and one file at a time: these tests load the machine and kill its processes.
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts", "examples/**/*.test.ts"],
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
