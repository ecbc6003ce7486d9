import { MAX_MESSAGE_BYTES } from "@cmdop/proto";

/** The bounds of the files process and of the pipe to it. */

/** Threads for file operations: an operation on a mount that does not answer keeps one until the process is replaced. With 64, each some 20 KB of memory, all that was measured went on. */
export const DISK_THREADS = 64;

/** Of those, threads for finding out whether mounts answer, which must not wait for any. */
export const PROBE_THREADS = 16;

/** Of the others, threads that one key has at once: a list describes 16 names at a time, and two other keys find room. */
export const DISK_THREADS_PER_KEY = 16;

/** Calls of one key under way at once; the others wait in the agent, in the order of asking. The SDK has up to 16. */
export const MAX_FILE_CALLS_PER_KEY = 256;

/** An operation that has not come back for so long, in milliseconds, is looked into: is it the mount? Disks that sleep take some seconds to wake, which their mount does not. */
export const STALLED_AFTER_MS = 3_000;

/** How often it is looked for such operations, in milliseconds. */
export const STALL_CHECK_MS = 500;

/** A mount that has not said a word about itself (statfs) for so long, in milliseconds, is stalled. */
export const MOUNT_ANSWER_MS = 2_000;

/** An operation on a mount that does answer is looked into again after this time, in milliseconds. */
export const LOOK_AGAIN_MS = 10_000;

/** Mounts that are known to be stalled, at most: each costs a thread for probes, which waits for its answer; two are left to find others. */
export const MAX_STALLED_MOUNTS = 14;

/** A mount that answers again is opened when no operation hangs in it any more; what hangs for so long all the same, in milliseconds, takes the process with it. */
export const LATE_OPERATION_MS = 5_000;

/** Threads that may be stuck in stalled mounts before the process is replaced: a quarter of all. The probes of these mounts are not among them. */
export const MAX_STUCK_THREADS = 16;

/** How old what is known of the machine's mounts may be, in milliseconds: it is read whenever a path is compared with a stalled one. */
export const MOUNTS_FRESH_MS = 1_000;

/** How long a killed process may take to be gone, in milliseconds. Longer only where one of its threads can't be interrupted; its mount then stays closed until it is gone. */
export const GONE_WITHIN_MS = 5_000;

/** After a process that died of itself, until the next is started, in milliseconds; doubling. */
export const FIRST_PAUSE_MS = 50;
export const LONGEST_PAUSE_MS = 5_000;

/** Processes that are started one after the other for a call that waits, before it is told that none can be. */
export const START_ATTEMPTS = 3;

/** Lived for so long, in milliseconds, a process did not die of how it was started. */
export const SETTLED_MS = 10_000;

/** How often the process is asked whether it is there, and for how long it may be silent, in milliseconds: then its one thread hangs, and it is replaced. */
export const PING_EVERY_MS = 5_000;
export const SILENT_FOR_MS = 30_000;

/** How long a process that is no longer needed may finish what it has begun to clean up, in milliseconds. */
export const CLEAN_UP_MS = 1_000;

/** One frame on the pipe: a message, or what is said about all that is unfinished. */
export const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 1024 * 1024;

/** Messages of an answer that may be on their way to the agent: one is used while the next comes. */
export const ANSWERS_AHEAD = 2;
