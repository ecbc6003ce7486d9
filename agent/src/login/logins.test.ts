import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Logins, type LoginsOptions } from "./logins.ts";
import { accountIn, accountOfEnvironment, lookUpAccount, ownAccount } from "./passwd.ts";

async function opened(options: Partial<LoginsOptions>): Promise<{ logins: Logins; problems: string[] }> {
  const problems: string[] = [];
  const defaults = { user: undefined, rules: {}, allowedShells: undefined };
  const onProblem = (problem: string): void => void problems.push(problem);
  return { logins: await Logins.open({ ...defaults, onProblem, ...options }), problems };
}

test("a user is found by name and by id, and one that is not there is none", async () => {
  const root = await lookUpAccount("root");
  expect(root).toMatchObject({ name: "root", uid: 0, home: "/root" });
  expect(await lookUpAccount(0)).toEqual(root);
  expect(await lookUpAccount("cmdop-nobody-here")).toBeUndefined();
  expect(accountIn("bob:x:7:8:Bob:/home/user:\n", "bob")).toMatchObject({ shell: "/bin/sh" });
  expect(() => accountIn("eve:x:7:8::/:/bin/sh", "bob")).toThrow("is malformed");
  expect(accountOfEnvironment({ HOME: "/data" }, 12345, 0)).toMatchObject({ name: "12345", home: "/data" });
});

test("what is set for the agent reaches jobs by name, and never its own secrets", async () => {
  const own = {
    JAVA_HOME: "/opt/java",
    HTTPS_PROXY: "http://proxy:1",
    OTHER: "1",
    CMDOP_API_KEY: "secret",
    OPENAI_API_KEY: "secret",
    SHELL: "/bin/elsewhere",
  };
  const rules = { pass: ["JAVA_HOME", "HTTPS_*", "OPENAI_*", "C*"], set: { KUBECONFIG: "/etc/k8s" } };
  const { logins } = await opened({ rules, own });
  const { environment, trusted } = await logins.current();
  expect(environment).toMatchObject({
    JAVA_HOME: "/opt/java",
    HTTPS_PROXY: "http://proxy:1",
    KUBECONFIG: "/etc/k8s",
    SHELL: (await ownAccount()).shell,
  });
  expect(Object.keys(environment)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(?:CMDOP_|OPENAI|OTHER)/)]),
  );
  // A program that is still root must not get these variables.
  expect(trusted).not.toHaveProperty("JAVA_HOME");
});

test("a file of the policy's is read anew, and one that is gone is told once", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-environment-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = path.join(directory, "proxy");
  await writeFile(file, "A=1\nCMDOP_HOME=/x\nGEMINI_API_KEY=k\n");
  const { logins, problems } = await opened({ rules: { files: [file], set: { B: "2" } } });
  const { environment } = await logins.current();
  expect(environment).toMatchObject({ A: "1", B: "2" });
  expect(environment).not.toHaveProperty("CMDOP_HOME");
  expect(environment).not.toHaveProperty("GEMINI_API_KEY");
  await writeFile(file, "A=5\n");
  await expect.poll(async () => (await logins.current()).environment.A, { timeout: 20_000 }).toBe("5");
  await rm(file);
  await expect.poll(async () => (await logins.current()).environment.A, { timeout: 20_000 }).toBeUndefined();
  expect(problems).toEqual([
    expect.stringMatching(/^environment\.files: .*proxy can't be read: .*No such file/),
  ]);
});
