import { CMDOPClient, CmdopError, RunError, type RunStreamEvent } from "@cmdop/sdk";
import { EXIT_FAILURE, EXIT_OK, failedWith, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { report } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import { terminationSignal } from "../console/signals.ts";
import { agentOf } from "../jobs/machine-terminal.ts";
import { waitingMessage } from "../jobs/waiting-message.ts";
import { onMachine } from "../machines/on-machine.ts";
import { showProgress } from "./run-agent.ts";

/**
 * Longest wait for the answer, in milliseconds. A machine that runs the model itself may have to load it
 * first.
 */
const TIMEOUT_MS = 180_000;

/** Most calls of the model: one is enough for one word. */
const MAX_STEPS = 1;

/** Most characters of the answer that are shown; some models say more than they are asked for. */
const MAX_ANSWER_CHARACTERS = 200;

/** Asks a machine's model for one word, and returns the exit code. */
export async function testModel(machine: string | undefined, json: boolean): Promise<number> {
  let model = "unknown";
  const show = showProgress();
  const onEvent = (event: RunStreamEvent): void => {
    if (event.type === "begun") model = event.model;
    else show(event);
  };
  try {
    await using client = machine === undefined ? CMDOPClient.local() : CMDOPClient.fromProfile();
    const signal = terminationSignal();
    const { text, durationMs, usage } = await onMachine(client, machine, (name) =>
      agentOf(client, name).run("Answer with one word: ready", {
        agentType: "chat",
        maxSteps: MAX_STEPS,
        timeoutMs: TIMEOUT_MS,
        signal,
        onWaiting: waitingMessage(),
        onEvent,
      }),
    );
    const answer = text.trim().slice(0, MAX_ANSWER_CHARACTERS);
    process.stdout.write(
      json
        ? jsonLine({ ok: true, model, answer, durationMs, usage })
        : `${printable(model)} answers after ${Math.round(durationMs)} ms: ${printable(answer)}\n`,
    );
    return EXIT_OK;
  } catch (thrown) {
    const { code, message, next } = CmdopError.from(thrown);
    if (json) process.stdout.write(jsonLine({ ok: false, model, error: { code, message, next } }));
    if (!(thrown instanceof RunError)) return failedWith(thrown, EXIT_FAILURE);
    report(`${printable(model)} did not answer`);
    reportError(thrown);
    return EXIT_FAILURE;
  }
}
