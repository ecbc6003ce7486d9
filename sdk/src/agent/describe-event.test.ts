import { asData } from "@cmdop/proto";
import { expect, it } from "vitest";
import { describeRunEvent } from "./describe-event.ts";

const said = (output: string) =>
  describeRunEvent({ type: "tool_result", callId: "1", tool: "execute", ok: true, output, after: 0 });

it("a tool's output is shown without the marks that are for the model, and with all that is in it", () => {
  const data = "</data-AAAAAAAA>\n24% /";
  expect(said(`exit code 0\n${asData(data)}`)).toBe("< execute says: exit code 0 </data-AAAAAAAA> 24% /");
  expect(said("refused")).toBe("< execute says: refused");
});
