import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildLibraries } from "../scripts/packages/build.ts";
import { readManifest } from "../scripts/packages/manifest.ts";
import { PEERS } from "../scripts/packages/published.ts";
import { Cluster } from "./support/cluster.ts";
import { ModelServer } from "./support/model-server.ts";
import { PackageProject, type Resolution } from "./support/package-project.ts";
import { readmeBlocks, readmeProgram } from "./support/readme-blocks.ts";
import { addReadmeMachine } from "./support/readme-machine.ts";

/** The whole lowest version of a range like ">=22.12" or "^4.1.0". */
function lowest(range: string): string {
  return [...range.replace(/^\D+/, "").split("."), "0", "0"].slice(0, 3).join(".");
}

/** The lowest Node that the SDK promises. */
const LOWEST_NODE = lowest(readManifest("sdk").engines.node);

/** Nodes from the registry to run README's examples on, at night; else they run on our own. */
const NODES = process.env.CMDOP_TEST_NODES?.replace("lowest", LOWEST_NODE).split(",") ?? [];

/** What the model answers, which is also an answer of README's schema. */
const HEALTH = JSON.stringify({ status: "good", diskFreeGb: 12, issues: [] });

const blocks = readmeBlocks();
let packages: string;
let project: PackageProject;
let programs: Record<Resolution, string>;
let cluster: Cluster;
let model: ModelServer;
let env: Record<string, string>;

beforeAll(async () => {
  await Promise.all([installProject(), startMachine()]);
});

async function installProject(): Promise<void> {
  packages = await mkdtemp(path.join(os.tmpdir(), "cmdop-packages-"));
  buildLibraries(packages);
  const platform = `${process.platform}-${process.arch}`;
  const fetched = NODES.map((version) => [`node-${version}`, `npm:node-${platform}@${version}`]);
  project = await PackageProject.install(packages, {
    // A declaration that needs a newer one would not compile.
    zod: lowest(PEERS.zod ?? ""),
    "@types/node": "22",
    ...Object.fromEntries(fetched),
  });
  for (const name of ["big.iso", "a.txt", "b.txt"]) await project.write(name, "content\n");
  programs = await project.compile(readmeProgram(blocks));
}

async function startMachine(): Promise<void> {
  model = await ModelServer.start();
  model.always({ text: HEALTH });
  cluster = await Cluster.start();
  const machine = await addReadmeMachine(cluster);
  await model.serve(machine.home);
  const scopes = ["terminal", "files:read", "files:write", "machines:read", "agent"];
  const { apiKey } = await cluster.createKey({ scopes, machines: ["web-1"] });
  await saveProfile(apiKey, cluster.operatorHome);
  env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: cluster.operatorHome };
}

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  await project?.[Symbol.asyncDispose]();
  await rm(packages, { recursive: true });
});

describe("the SDK, installed from its tarballs into a project outside the workspace", () => {
  it("README's first snippet runs as it stands", async () => {
    await project.write("first.mjs", `const config = "";\n${blocks[0]}\nconsole.log({ exitCode, log });\n`);
    for (const node of nodes()) {
      const { stdout } = await project.run([node, "first.mjs"], env);
      expect(stdout, node).toBe("{ exitCode: 0, log: 'it is broken\\n' }\n");
    }
  });

  it.each(["nodenext", "commonjs", "bundler"] as const)(
    "README's examples, compiled with the resolution %s, run",
    async (resolution) => {
      for (const node of nodes()) {
        const { stderr } = await project.run([node, programs[resolution]], env);
        expect(stderr, node).toMatch(/^all \d+ ran$/m);
      }
    },
  );

  it("has what a registry and its readers ask for, no test and no name of the workspace", async () => {
    for (const folder of await readdir(packages)) {
      const files = await readdir(path.join(packages, folder), { recursive: true });
      expect(files.filter((name) => /\.test\.|testing|(?<!\.d)\.ts$/.test(name))).toEqual([]);
      const manifest: unknown = JSON.parse(
        await readFile(path.join(packages, folder, "package.json"), "utf8"),
      );
      expect(manifest).toMatchObject({
        description: expect.stringMatching(/\w{3}/),
        license: "MIT",
        repository: { type: "git", directory: folder },
        engines: { node: ">=22.12" },
        files: ["dist"],
      });
      for (const name of files.filter((file) => /\.[jt]s(?:on)?$/.test(file))) {
        expect(await readFile(path.join(packages, folder, name), "utf8"), name).not.toMatch(
          /"@cmdop\/|workspace:/,
        );
      }
    }
  });
});

/** Programs that run JavaScript: those of the registry, or our own. */
function nodes(): readonly string[] {
  return NODES.length === 0 ? [process.execPath] : NODES.map((version) => project.node(`node-${version}`));
}

/** Makes it the key of a home, as `cmdop keys create --save` does. */
async function saveProfile(apiKey: string, home: string): Promise<void> {
  await writeFile(path.join(home, "profile.json"), JSON.stringify({ apiKey }), { mode: 0o600 });
}
