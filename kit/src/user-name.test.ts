import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { userName } from "./user-name.ts";

it("is the user's name, and a number for one without a passwd entry", () => {
  expect(userName()).toBe(os.userInfo().username);
  // In a process of its own, which gives up being root.
  const source = readFileSync(path.join(import.meta.dirname, "user-name.ts"), "utf8");
  const code = `${source}\nprocess.setuid?.(12345);\nconsole.log(userName());`;
  const said = execFileSync(process.execPath, ["--input-type=module-typescript", "--eval", code]);
  expect(said.toString()).toBe("user 12345\n");
});
