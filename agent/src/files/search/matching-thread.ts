import { parentPort, workerData } from "node:worker_threads";
import { type LineMatch, LineMatcher } from "./line-matcher.ts";
import { type Answer, isQuestion, isSettings } from "./messages.ts";
import { MAX_MATCHES_IN_ANSWER } from "./thread-limits.ts";

/**
 * The thread that matches: a regular expression of a stranger may run for ever,
 * and a thread can be ended in the middle of one. It reads no files; its
 * starter (matcher.ts) sends it their content.
 */

const port = parentPort;
if (port === null) throw new Error("this is a thread of the agent, not a program");

const settings: unknown = workerData;
if (!isSettings(settings)) throw new Error("the thread was started without its settings");
const { source, flags, contextLines } = settings;

function failed(thrown: unknown): Answer {
  return { kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown) };
}

function answering(pattern: RegExp): (message: unknown) => Answer {
  let matcher = new LineMatcher(pattern, contextLines);
  let found: Iterator<LineMatch> = [].values();
  return (message) => {
    if (!isQuestion(message)) throw new Error("no question");
    if (message.kind === "piece") {
      if (message.first) matcher = new LineMatcher(pattern, contextLines);
      found = matcher.feed(message.bytes, message.last);
    }
    const matches: LineMatch[] = [];
    let more = true;
    while (more && matches.length < MAX_MATCHES_IN_ANSWER) {
      const next = found.next();
      if (next.done === true) more = false;
      else matches.push(next.value);
    }
    return { kind: "found", matches, more, binary: matcher.binary, longLine: matcher.longLine };
  };
}

try {
  const answer = answering(new RegExp(source, flags));
  port.on("message", (message) => {
    try {
      port.postMessage(answer(message));
    } catch (thrown) {
      port.postMessage(failed(thrown));
    }
  });
  port.postMessage({ kind: "ready" } satisfies Answer);
} catch (thrown) {
  port.postMessage(failed(thrown));
}
