import { useHash } from "@cmdop/proto";
import { expect, test } from "vitest";
import { connect, SILENT_PERSON } from "./testing/connect.ts";

test("a run that wants a word is not waited for; a person who is asked and says nothing costs no call", async () => {
  await using plain = await connect("2.x modern");
  const { structuredContent } = await plain.call("agent_run", { prompt: "wants" });
  const until = "2026-09-21T14:13:20.000Z";
  expect(structuredContent).toMatchObject({
    status: "asking",
    questions: [
      { callId: `1@${useHash("execute", { command: "df" })}`, tool: "execute", what: "command: df", until },
    ],
  });
  await using asking = await connect("1.x", { waitMs: 200 }, SILENT_PERSON);
  const answer = await asking.call("agent_run", { prompt: "wants" });
  expect(answer.structuredContent).toMatchObject({ status: "asking" });
  expect(answer.content[0]?.text).toMatch(/^The run waits for your person's word.*agent_wait asks them/);
});
