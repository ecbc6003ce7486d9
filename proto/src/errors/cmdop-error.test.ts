import { expect, it } from "vitest";
import { CmdopError } from "./cmdop-error.ts";

it("has its message in JSON, and not its cause", () => {
  const error = new CmdopError("NotFound", "There is no file.", { cause: new Error("secret"), jobId: "j" });
  expect(JSON.parse(JSON.stringify({ error }))).toEqual({
    error: { name: "NotFound", code: "NotFound", message: "There is no file.", next: error.next, jobId: "j" },
  });
});
