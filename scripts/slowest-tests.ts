import type { Reporter, TestCase, TestModule } from "vitest/node";

/** How many are named. */
const NAMED = 20;

/** Of its limit a test should use no more on a quiet machine: a busy one takes several times as long. */
const FAIR_SHARE = 1 / 5;

/** For vitest, which finds it by its path: names the slowest tests at the end of a run, and what of its limit each took. */
export default class SlowestTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    if (tests.length <= NAMED) return;
    const slowest = tests.sort((one, other) => durationMs(other) - durationMs(one)).slice(0, NAMED);
    console.log(`\n The slowest ${NAMED} tests (! more than a fifth of its limit)`);
    for (const test of slowest) console.log(line(test));
  }
}

function line(test: TestCase): string {
  const took = durationMs(test);
  const limit = test.options.timeout ?? Number.POSITIVE_INFINITY;
  const mark = took > limit * FAIR_SHARE ? "!" : " ";
  const seconds = `${(took / 1000).toFixed(1)} of ${limit / 1000} s`.padStart(16);
  return `${mark}${seconds}  ${test.module.relativeModuleId}: ${test.fullName}`;
}

function durationMs(test: TestCase): number {
  return test.diagnostic()?.duration ?? 0;
}
