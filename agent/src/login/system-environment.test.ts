import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { MAX_ENVIRONMENT_FILE_BYTES, systemEnvironment } from "./system-environment.ts";

const account = { name: "bob", uid: 1, gid: 1, home: "/home/bob", shell: "/bin/zsh" };

test("what a login reads is taken in PAM's order, without secrets of the agent's; what is missing or too large is nothing", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-etc-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const [environment = "", pam = "", locale = ""] = ["environment", "pam_env.conf", "locale"].map((name) =>
    path.join(directory, name),
  );
  await writeFile(environment, 'PATH="/snap/bin:/bin"\nLANG=C\nFIRST=1\nOPENAI_API_KEY=k\nCMDOP_HOME=/x\n');
  await writeFile(pam, "FIRST OVERRIDE=2\nEDITOR DEFAULT=@{HOME}/ed\n");
  await writeFile(locale, "LANG=de_DE.UTF-8\n");
  const files = { environment, pam, locale };
  const expected = { PATH: "/snap/bin:/bin", LANG: "de_DE.UTF-8", FIRST: "2", EDITOR: "/home/bob/ed" };
  expect(await systemEnvironment(account, files)).toEqual(expected);
  await writeFile(environment, `A=1\n${"#".repeat(MAX_ENVIRONMENT_FILE_BYTES)}`);
  await rm(locale);
  expect(await systemEnvironment(account, files)).toEqual({ FIRST: "2", EDITOR: "/home/bob/ed" });
});
