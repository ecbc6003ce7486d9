export { onAbort } from "./abort.ts";
export { atLeastHalf, Backoff, type Pauses } from "./backoff.ts";
export { BoundedMap } from "./bounded-map.ts";
export { errnoOf, isErrno, unless, unlessSync } from "./errno.ts";
export { isOpenToOthers, replacePrivateFile } from "./replace-file.ts";
export { Semaphore } from "./semaphore.ts";
export { Turns } from "./turns.ts";
export { userName } from "./user-name.ts";
export { LONGEST_TIMER_MS, pause, type WaitOptions, within } from "./wait.ts";
