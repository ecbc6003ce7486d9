import { Backoff, pause } from "@cmdop/kit";
import { modelFailure } from "./failure.ts";
import { LOOP_LIMITS } from "./limits.ts";
import { isRefusal, lesserManner } from "./manners.ts";
import { ModelCall, type StepRequest, type StepResult } from "./model-call.ts";
import type { RunContext } from "./run-context.ts";

/**
 * Calls the model once, and runs the tools that it asks for. A failed call is repeated where that may help,
 * but never after a tool has run: tools start only when the whole answer is there. A call that is refused
 * because of a part that it can do without is repeated without that part, as are all later calls of that
 * model.
 * @throws CmdopError ModelFailed, BudgetSpent, or the reason why the run ends
 */
export async function modelStep(run: RunContext, request: StepRequest): Promise<StepResult> {
  const { ai, events, manners, settings, signal } = run;
  events.write({ type: "step", step: run.budget.beginStep() });
  let manner = manners.of(settings);
  let refusal: Error | undefined;
  const pauses = new Backoff(LOOP_LIMITS);
  for (;;) {
    const call = new ModelCall(run, request, manner);
    try {
      const result = await call.answer();
      manners.remember(settings, call.manner);
      return result;
    } catch (thrown) {
      signal.throwIfAborted();
      const { error, passes, pauseMs } = modelFailure(ai, thrown);
      if (call.toolsRun > 0) throw error;
      const lesser = lesserManner(ai, manner, call.used, thrown);
      if (lesser !== undefined) {
        // The first refusal says most if the later attempts are refused, too.
        refusal ??= error;
        manner = lesser;
        events.write({ type: "retry", reason: error.message, pauseMs: 0 });
        continue;
      }
      if (refusal !== undefined && isRefusal(ai, thrown)) throw refusal;
      if (!passes || pauses.failures >= LOOP_LIMITS.maxAttempts - 1) throw error;
      const ownPauseMs = pauses.nextMs();
      const waitMs = Math.min(pauseMs ?? ownPauseMs, LOOP_LIMITS.maxPauseMs);
      events.write({ type: "retry", reason: error.message, pauseMs: Math.round(waitMs) });
      if (!(await pause(waitMs, { signal }))) signal.throwIfAborted();
    }
  }
}
