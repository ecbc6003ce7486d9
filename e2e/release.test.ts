import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { generateKeyPair } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { type Finished, runCmdop, runProgram } from "./support/cmdop-process.ts";
import { makeSmallRelease, type SmallRelease } from "./support/small-release.ts";
import { FETCHERS, makeToolbox } from "./support/toolbox.ts";

/** An ordinary user, without a passwd entry. */
const USER = 12345;

let directory: string;
let release: SmallRelease;
let cluster: Cluster;

beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-release-"));
  await chmod(directory, 0o755);
  release = await makeSmallRelease(path.join(directory, "release"));
  // The relay is an installed cmdop: it serves the release that it came from.
  const installed = await asUser("operator", `sh ${release.directory}/install.sh ${release.directory}`);
  expect(installed, installed.stderr).toMatchObject({ exitCode: 0 });
  const program = path.join(directory, "operator/.local/share/cmdop/current/bin/cmdop");
  cluster = await Cluster.start({ relayProgram: program });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Runs a line as the user with a home of this name; with `tools`, nothing else is on its path. */
async function asUser(home: string, line: string, tools = process.env.PATH ?? ""): Promise<Finished> {
  const place = path.join(directory, home);
  await mkdir(place, { recursive: true });
  await chown(place, USER, USER);
  const user = [`--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
  return runProgram(
    "setpriv",
    [...user, "env", "-i", `PATH=${tools}`, `HOME=${place}`, "/bin/sh", "-c", line],
    {},
  );
}

/** The line that `cmdop join-token` prints for a machine. */
async function lineFor(name: string, releaseKey = release.releaseKey): Promise<string | null> {
  const relay = `${cluster.relayId}@${cluster.relayAddress}`;
  const env = { ...cluster.operatorEnv, CMDOP_RELEASE_KEY: releaseKey };
  const made = await runCmdop(["join-token", name, "--relay", relay, "--json"], env);
  expect(made, made.stderr).toMatchObject({ exitCode: 0 });
  return JSON.parse(made.stdout).line;
}

describe("the line of join-token, as a user without a passwd entry, from a relay that was installed", () => {
  it.each(FETCHERS)("leads to a first exec from elsewhere, with %s alone", async (fetcher) => {
    const name = fetcher.replace(" ", "-");
    const tools = path.join(directory, `tools-${name}`);
    await makeToolbox(tools, fetcher);
    const joined = await asUser(name, (await lineFor(name)) ?? "", tools);
    expect(joined, joined.stderr).toMatchObject({ exitCode: 0 });
    const [, pid] = /runs as process (\d+)/.exec(joined.stderr) ?? [];
    try {
      const { apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: [name] });
      const said = await runCmdop(["exec", name, "id -u"], { CMDOP_API_KEY: apiKey });
      expect(said).toMatchObject({ exitCode: 0, stdout: `${USER}\n` });
    } finally {
      process.kill(Number(pid));
    }
  });
});

describe("an archive that is not what was promised", () => {
  it("is refused before anything of it runs, and nothing is installed", async () => {
    const line = (await lineFor("tampered")) ?? "";
    const kept = path.join(directory, "operator/.local/share/cmdop/releases");
    const archive = path.join(kept, (await readdir(kept))[0] ?? "", path.basename(release.archive));
    const [content, changed] = [await readFile(archive), await readFile(archive)];
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    await writeFile(archive, changed);
    try {
      const refused = await asUser("tampered", line);
      expect(refused).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("is not what was promised"),
      });
    } finally {
      await writeFile(archive, content);
    }
    expect(await readdir(path.join(directory, "tampered/.local/share/cmdop/versions"))).toEqual([]);
    expect(await readdir(path.join(directory, "tampered/.local/share/cmdop"))).toEqual(["versions"]);
  });

  it("a manifest of another release key gives no line, and says so", async () => {
    expect(await lineFor("stranger", generateKeyPair().publicKey)).toBeNull();
  });
});
