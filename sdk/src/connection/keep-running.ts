import { LONGEST_TIMER_MS } from "@cmdop/kit";

/** Does nothing, for ever: referenced while somebody waits, and so what keeps the program running then. */
let timer: NodeJS.Timeout | undefined;
let holders = 0;

/**
 * Keeps the program running until the returned function is called. Connections
 * do not: a program is to end when nobody in it waits for an answer, also where
 * a stream was left half read.
 */
export function keepRunning(): () => void {
  timer ??= setInterval(() => undefined, LONGEST_TIMER_MS);
  if (holders === 0) timer.ref();
  holders += 1;
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    holders -= 1;
    if (holders === 0) timer?.unref();
  };
}
