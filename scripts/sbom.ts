import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { licencesOf } from "./licences.ts";
import { type Importer, type LockedPackage, type Lockfile, ROOT, readLockfile } from "./lockfile.ts";

/**
 * The bill of materials, as CycloneDX 1.6 in JSON: every package of the lockfile
 * with its hash, its licence and what it depends on. The same lockfile gives the
 * same text, whenever and wherever it is made; SOURCE_DATE_EPOCH (seconds) adds
 * a time. To a file: npm run sbom -- FILE.
 */

/** What users run; all else is for tests, benchmarks and examples. */
const PUBLISHED = ["proto", "sdk", "relay", "agent", "mcp-server", "cli"];

/** How `integrity` calls the algorithms, and how CycloneDX does. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  sha512: "SHA-512",
  sha384: "SHA-384",
  sha256: "SHA-256",
};

const manifestSchema = z.object({
  name: z.string(),
  version: z.string().default("0.0.0"),
  license: z.string(),
});

export interface Sbom {
  readonly components: readonly object[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Makes it. `epochS`: the time that it names, in seconds since 1970. */
export function sbomOf(lockfile: Lockfile, epochS?: number): Sbom {
  const { packages, importers } = lockfile;
  const licences = licencesOf(lockfile);
  const runtime = reachable(
    lockfile,
    importers.filter(isPublished).flatMap((importer) => importer.runtime),
  );
  const ours = importers.map((importer) => ({ importer, ...manifestOf(importer) }));
  const refOfFolder = new Map(ours.map(({ importer, ref }) => [importer.folder, ref]));
  const refOf = (key: string): string => purl(packages.get(key) ?? { name: key, version: "" });
  const product = ours.find(({ importer }) => importer.folder === ".");
  if (product === undefined) throw new Error("The lockfile has no workspace of its own.");
  const components = [
    ...ours
      .filter((own) => own !== product)
      .map(({ importer, ref, name, version, license }) => ({
        type: "library",
        "bom-ref": ref,
        ...named(name),
        version,
        scope: isPublished(importer) ? "required" : "excluded",
        licenses: [licence(license)],
        purl: ref,
      })),
    ...[...packages].map(([key, locked]) => ({
      type: "library",
      "bom-ref": purl(locked),
      ...named(locked.name),
      version: locked.version,
      scope: runtime.has(key) ? "required" : "excluded",
      hashes: [hash(locked)],
      licenses: [licence(licences.get(key) ?? "")],
      purl: purl(locked),
      // As npm's own bills of materials have it.
      ...(runtime.has(key) ? {} : { properties: [{ name: "cdx:npm:package:development", value: "true" }] }),
    })),
  ];
  const dependencies = [
    ...ours.map(({ importer, ref }) => ({
      ref,
      dependsOn: sorted([
        ...importer.links.map((folder) => refOfFolder.get(folder) ?? ""),
        ...[...importer.runtime, ...importer.development].map(refOf),
        ...(importer.folder === "." ? ours.filter((own) => own !== product).map((own) => own.ref) : []),
      ]),
    })),
    ...[...packages.values()].map((locked) => ({
      ref: purl(locked),
      dependsOn: sorted(locked.dependsOn.map(refOf)),
    })),
  ];
  const body = {
    metadata: {
      ...(epochS === undefined ? {} : { timestamp: new Date(epochS * 1000).toISOString() }),
      component: {
        type: "application",
        "bom-ref": product.ref,
        name: product.name,
        version: product.version,
        licenses: [licence(product.license)],
      },
    },
    components,
    dependencies,
  };
  return {
    ...{
      $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
      version: 1,
    },
    ...body,
  };
}

function isPublished({ folder }: Importer): boolean {
  return PUBLISHED.includes(folder);
}

function manifestOf({ folder }: Importer) {
  const manifest = manifestSchema.parse(
    JSON.parse(readFileSync(path.join(ROOT, folder, "package.json"), "utf8")),
  );
  return { ...manifest, ref: purl(manifest) };
}

/** These packages and all that they depend on. */
function reachable({ packages }: Lockfile, keys: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const left = [...keys];
  for (let key = left.pop(); key !== undefined; key = left.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    left.push(...(packages.get(key)?.dependsOn ?? []));
  }
  return found;
}

/** A package's name anywhere: https://github.com/package-url/purl-spec. */
function purl({ name, version }: Pick<LockedPackage, "name" | "version">): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function named(name: string): { readonly group?: string; readonly name: string } {
  const [group, own] = name.split("/");
  return own === undefined || group === undefined ? { name } : { group, name: own };
}

function hash({ name, integrity }: LockedPackage): { readonly alg: string; readonly content: string } {
  const [algorithm = "", base64 = ""] = integrity.split("-");
  const alg = ALGORITHMS[algorithm];
  if (alg === undefined) throw new Error(`${name} is locked by ${algorithm}, which is not known here.`);
  return { alg, content: Buffer.from(base64, "base64").toString("hex") };
}

function licence(spdx: string): object {
  return /[ (]/.test(spdx) ? { expression: spdx } : { license: { id: spdx } };
}

function sorted(refs: readonly string[]): string[] {
  return [...new Set(refs)].sort();
}

/** The same for the same text: version 8 leaves the bits to us. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

if (import.meta.main) {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const text = `${JSON.stringify(sbomOf(readLockfile(), epoch === undefined ? undefined : Number(epoch)), null, 2)}\n`;
  const file = process.argv[2];
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
}
