import { LONGEST_TIMER_MS, onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { type FollowedJob, follow } from "./follow.ts";
import { PlainText } from "./plain-text.ts";
import type { WaitOptions, WaitResult } from "./session-types.ts";

/** Default wait for a text, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** Longest quotation of the last output in an error, in lines and in characters. */
const QUOTED_LINES = 5;
const QUOTED_CHARS = 500;

/** A text that was found. */
interface Found {
  readonly result: WaitResult;
  /** Journal offset behind the match. */
  readonly offset: bigint;
}

/** Reads a session's output from an offset on until a text appears. Throws as Session.waitFor does. */
export async function waitForText(
  caller: MachineCaller,
  job: Pick<FollowedJob, "jobId" | "after">,
  pattern: RegExp | string,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: WaitOptions,
): Promise<Found> {
  const wanted = typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern);
  const plain = new PlainText(job.after);
  const leave = new AbortController();
  const stopListening = onAbort(signal, () => leave.abort());
  const timer = setTimeout(() => leave.abort(), Math.min(timeoutMs, LONGEST_TIMER_MS));
  try {
    for await (const { offset, kind } of follow(caller, job, { leave: leave.signal })) {
      if (kind.case === "dropped") plain.clear();
      if (kind.case === "ended") {
        throw new CmdopError(
          "JobEnded",
          `The session ${job.jobId} ended before ${wanted} appeared.${lastLines(plain.text)}`,
          { next: "Find out with getHistory why the shell ended." },
        );
      }
      if (kind.case !== "output") continue;
      plain.add(offset, kind.value.data);
      const found = find(plain, pattern);
      if (found !== undefined) return found;
    }
  } finally {
    clearTimeout(timer);
    stopListening();
  }
  if (signal?.aborted) throw new CmdopError("Canceled", `Nobody waits for ${wanted} any more.`);
  throw new CmdopError(
    "DeadlineExceeded",
    `${wanted} did not appear within ${timeoutMs} ms in the session ${job.jobId}.${lastLines(plain.text)}`,
    {
      next: "Correct the pattern, or give it more time with timeoutMs; screen() shows what a person would see.",
    },
  );
}

/** Finds the first match in a text. */
export function find(plain: PlainText, pattern: RegExp | string): Found | undefined {
  const { text } = plain;
  const match = typeof pattern === "string" ? literal(text, pattern) : stateless(pattern).exec(text);
  if (match === null) return undefined;
  const [found, ...groups] = match;
  const before = text.slice(0, match.index);
  return {
    result: { text: found, groups, before },
    offset: plain.offsetAfter(before.length + found.length),
  };
}

/**
 * Removes the flags `g` and `y`, with which a pattern would remember its position and begin its next search
 * there.
 */
function stateless(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
}

function literal(text: string, wanted: string): RegExpExecArray | null {
  return new RegExp(wanted.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).exec(text);
}

function lastLines(text: string): string {
  const lines = text.trimEnd().split("\n").slice(-QUOTED_LINES).join("\n").slice(-QUOTED_CHARS);
  return lines === "" ? " It wrote nothing meanwhile." : ` Its last lines:\n${lines}`;
}
