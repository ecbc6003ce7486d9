import { parentPort } from "node:worker_threads";
import { Emulator } from "./emulator.ts";
import { type Answer, isQuestion, type Question } from "./emulator-messages.ts";

/**
 * The thread that emulates terminals: a few kilobytes of what programs write can
 * keep an emulator busy for minutes, and a thread can be ended in the middle of
 * that (emulators.ts).
 */

const port = parentPort;
if (port === null) throw new Error("this is a thread of the agent, not a program");

const emulators = new Map<number, Emulator>();

async function answerTo(question: Question): Promise<Answer | undefined> {
  const { id } = question;
  if (question.kind === "open") {
    emulators.set(id, await Emulator.open(question.size));
    return { kind: "done" };
  }
  const emulator = emulators.get(id);
  if (question.kind === "close") {
    emulator?.dispose();
    emulators.delete(id);
    return undefined;
  }
  if (emulator === undefined) return { kind: "failed", why: `there is no emulator ${id}` };
  switch (question.kind) {
    case "write":
      await emulator.write(question.bytes);
      return { kind: "done" };
    case "resize":
      emulator.resize(question.size);
      return { kind: "done" };
    case "screen":
      return { kind: "screen", screen: emulator.screen() };
    case "text":
      return { kind: "text", text: emulator.text(question.maxLines) };
  }
}

port.on("message", async (message: unknown) => {
  if (!isQuestion(message)) return;
  const answer = await answerTo(message).catch((thrown): Answer => ({ kind: "failed", why: String(thrown) }));
  if (answer !== undefined) port.postMessage(answer);
});
port.postMessage("begun");
