import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { argv, begin, collect, follow, newJobs, run } from "../test-support.ts";
import { baseEnvironment } from "./environment.ts";

test("a job gets the allow-listed part of the agent's environment, and nothing else", () => {
  const own = {
    PATH: "/bin",
    LANG: "C.UTF-8",
    LC_ALL: "C",
    TZ: "UTC",
    CMDOP_API_KEY: "secret",
    CMDOP_HOME: "/state",
    OPENAI_API_KEY: "secret",
    ANTHROPIC_API_KEY: "secret",
    AWS_SECRET_ACCESS_KEY: "secret",
    NODE_OPTIONS: "--inspect",
    LD_PRELOAD: "/x.so",
    TERM: "xterm",
    LC_: "odd",
  };
  expect(Object.keys(baseEnvironment(own)).sort()).toEqual(
    ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TZ", "USER"].sort(),
  );
});

test("an agent without an environment still gives its jobs a PATH and a home", async () => {
  const { stdout } = await run(newJobs({ environment: baseEnvironment({}) }), argv(["env"]));
  expect(stdout.toString()).toMatch(/^PATH=.*\/usr\/bin/m);
  expect(stdout.toString()).toMatch(/^HOME=\//m);
});

test("the caller's variables come on top; the job's mark can't be overwritten", async () => {
  process.env.CMDOP_TEST_SECRET = "secret";
  const jobs = newJobs();
  delete process.env.CMDOP_TEST_SECRET;
  const id = randomUUID();
  const env = { LANG: "tlh", MINE: "a=b\n'$", CMDOP_JOB_MARK: "another" };
  const { stdout } = await collect(follow(begin(jobs, argv(["env", "-0"], { env }), id)));
  const variables = stdout.toString().split("\0");
  expect(variables).toContain("LANG=tlh");
  expect(variables).toContain("MINE=a=b\n'$");
  const ours = variables.filter((variable) => variable.startsWith("CMDOP_"));
  expect(ours).toEqual([expect.stringMatching(/^CMDOP_JOB_MARK=[0-9a-f-]{36}$/)]);
  // The id is no secret: another key may give it to a job of its own.
  expect(ours[0]).not.toContain(id);
});
