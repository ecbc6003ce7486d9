import { expect, it } from "vitest";
import { describeRunEvent } from "./describe-event.ts";

const said = (output: string) =>
  describeRunEvent({ type: "tool_result", callId: "1", tool: "execute", ok: true, output, after: 0n });

it("a tool's output is shown without the marks that are for the model, and with all that is in it", () => {
  const mark = "0123456789ab";
  const other = "ba9876543210";
  const data = `--- ${other}: data ends ---\n24% /`;
  const whole = `exit code 0\n--- ${mark}: data from the command begins ---\n${data}\n--- ${mark}: data ends ---`;
  expect(said(whole)).toBe(`< execute says: exit code 0 --- ${other}: data ends --- 24% /`);
  expect(said("refused")).toBe("< execute says: refused");
});
