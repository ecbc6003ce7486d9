import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { ended, output, scriptedMachine, started } from "../testing/scripted-machine.ts";
import { Terminal } from "./terminal.ts";

/** Each yields the events of a command that writes one word and ends. */
const whole = async function* () {
  yield started("j");
  yield output(0, "word");
  yield ended(4);
};

/** Reads by hand, as programs do that follow several streams at once, and leaves with the last event. */
async function readByHand(events: AsyncIterator<{ readonly type: string }>): Promise<void> {
  for (;;) {
    const { value, done } = await events.next();
    if (done === true || value.type === "ended") return;
  }
}

it("whoever stops reading at the end leaves no listener on a signal that lives on", async () => {
  await using machine = await scriptedMachine({ start: whole, attach: whole });
  const terminal = new Terminal(machine.caller);
  const { signal } = new AbortController();
  for (let call = 0; call < 5; call += 1) {
    await readByHand(terminal.stream("x", { signal }));
    await readByHand(terminal.resumeStream("3f0c1f52-9d5b-4b57-8f0e-0d2c7a1f4b11", { signal }));
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(getEventListeners(machine.transport.closed, "abort")).toEqual([]);
});
