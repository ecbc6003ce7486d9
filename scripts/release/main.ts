import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { generateKeyPair, keyPairOf } from "../../proto/src/credentials/ed25519.ts";
import { PROTOCOL } from "../../proto/src/protocol.ts";
import {
  type Artefact,
  INSTALLER_FILE,
  MANIFEST_FILE,
  type ReleaseManifest,
  signManifest,
} from "../../proto/src/release/manifest.ts";
import { commitNow } from "../commit.ts";
import { ROOT, readLockfile } from "../lockfile.ts";
import { sbomOf } from "../sbom.ts";
import { fetchInputs, makeArchive } from "./archive.ts";
import { requirePrograms } from "./commands.ts";
import type { DebianPackage } from "./debian-libraries.ts";
import { placeInSystem, writeDeb } from "./debian-package.ts";
import { installerText } from "./installer.ts";
import { type Layer, writeOciLayout } from "./oci-image.ts";
import { PLATFORMS } from "./platform.ts";
import { gzip, tarOf } from "./tarball.ts";

/**
 * npm run release: archives, packages and an image for each platform, with their
 * checksums, a bill of materials and a manifest, signed with the release key.
 */
const HELP = `usage: npm run release -- keygen FILE              make a release key
       npm run release -- --key FILE [--platform linux-x64] [--only-archives] [--to DIRECTORY]

The release goes to dist/release unless told elsewhere; what is there is removed. The key is the operator's: keep it off the machines that run cmdop.`;

/** Fetched files stay here between two releases. */
const CACHE = path.join(ROOT, "node_modules/.cache/release");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: "string" },
    platform: { type: "string", multiple: true },
    to: { type: "string", default: path.join(ROOT, "dist/release") },
    "only-archives": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

// npm runs this at the root of the repository: a path is meant from where the command was typed.
const TARGET = path.resolve(process.env.INIT_CWD ?? process.cwd(), values.to);
const WORK = `${TARGET}-work`;

if (values.help) console.log(HELP);
else if (positionals[0] === "keygen") keygen(positionals[1]);
else await release();

function keygen(file: string | undefined): void {
  if (file === undefined) fail("keygen needs the name of the file to write.");
  const key = generateKeyPair();
  writeFileSync(file, `${Buffer.from(key.seed).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  console.log(`wrote ${file}: whoever has it signs releases. Its public half: ${key.publicKey}`);
}

async function release(): Promise<void> {
  if (values.key === undefined) fail("a release is signed: give --key FILE; keygen makes one.");
  const signer = keyPairOf(Buffer.from(readFileSync(values.key, "utf8").trim(), "base64url"));
  const names = values.platform ?? PLATFORMS.map(({ name }) => name);
  const platforms = PLATFORMS.filter(({ name }) => names.includes(name));
  if (platforms.length !== names.length)
    fail(`platforms are ${PLATFORMS.map(({ name }) => name).join(", ")}.`);
  requirePrograms(["patchelf", "apt-get", "dpkg-deb", "tar", ...platforms.map(({ strip }) => strip)]);
  const version = versionOf();
  const { commit, committedAt: epochS } = commitNow();
  const built = { commit, committedAt: epochS, releaseKey: signer.publicKey };
  const lockfile = readLockfile();
  refuseOthers(TARGET);
  for (const place of [TARGET, WORK]) {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place, { recursive: true });
  }
  const archives: Record<string, Artefact> = {};
  const layers: Layer[] = [];
  const debianPackages: Record<string, readonly DebianPackage[]> = {};
  for (const platform of platforms) {
    console.log(`── ${platform.name}`);
    const inputs = fetchInputs(platform, lockfile, CACHE);
    debianPackages[platform.debian] = inputs.debianPackages;
    const name = `cmdop-${version}-${platform.name}`;
    const directory = path.join(WORK, name);
    await makeArchive(directory, platform, inputs, version, built);
    archives[platform.name] = write(`${name}.tar.gz`, gzip(tarOf(directory, epochS)));
    if (values["only-archives"]) continue;
    const root = path.join(WORK, `${name}-root`);
    placeInSystem(directory, root, platform);
    const deb = path.join(TARGET, `cmdop_${version}_${platform.debian}.deb`);
    writeDeb(deb, root, platform, version, epochS);
    layers.push({ platform, tar: tarOf(path.join(root, "usr"), epochS) });
  }
  if (layers.length > 0) writeOciLayout(path.join(TARGET, `cmdop-${version}-oci`), layers, version, epochS);
  const installer = write(INSTALLER_FILE, Buffer.from(installerText(version, archives)));
  write("sbom.cdx.json", Buffer.from(sbomWith(debianPackages, epochS)));
  const manifest: ReleaseManifest = {
    product: "cmdop",
    version,
    commit,
    committedAt: epochS,
    protocol: PROTOCOL,
    installer,
    archives,
  };
  write(MANIFEST_FILE, Buffer.from(`${await signManifest(manifest, signer)}\n`));
  writeChecksums();
  rmSync(WORK, { recursive: true });
  console.log(`wrote ${path.relative(ROOT, TARGET)}, signed by ${signer.publicKey}`);

  function sbomWith(packages: Record<string, readonly DebianPackage[]>, epoch: number): string {
    const sbom = sbomOf(lockfile, epoch);
    const debian = Object.entries(packages).flatMap(([architecture, found]) =>
      found.map((one) => ({
        type: "library",
        "bom-ref": `pkg:deb/debian/${one.name}@${one.version}?arch=${architecture}`,
        name: one.name,
        version: one.version,
        scope: "required",
        hashes: [{ alg: "SHA-256", content: one.sha256 }],
        purl: `pkg:deb/debian/${one.name}@${one.version}?arch=${architecture}`,
      })),
    );
    return `${JSON.stringify({ ...sbom, components: [...sbom.components, ...debian] }, null, 2)}\n`;
  }
}

function write(file: string, content: Buffer): Artefact {
  writeFileSync(path.join(TARGET, file), content);
  return { file, sha256: createHash("sha256").update(content).digest("hex"), bytes: content.length };
}

/** Of every file, as sha256sum reads them. */
function writeChecksums(): void {
  const files = readdirSync(TARGET, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(path.join(TARGET, file)).isFile())
    .sort();
  const lines = files.map((file) => {
    const hex = createHash("sha256")
      .update(readFileSync(path.join(TARGET, file)))
      .digest("hex");
    return `${hex}  ${file}\n`;
  });
  writeFileSync(path.join(TARGET, "SHA256SUMS"), lines.join(""));
}

function versionOf(): string {
  const text = readFileSync(path.join(ROOT, "cli/package.json"), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function fail(why: string): never {
  console.error(`error: ${why}\n${HELP}`);
  process.exit(2);
}

/** What is in the target is removed, so it must be a release, or nothing. */
function refuseOthers(target: string): void {
  const isDefault = target === path.join(ROOT, "dist/release");
  if (isDefault || !existsSync(target) || readdirSync(target).length === 0) return;
  if (existsSync(path.join(target, MANIFEST_FILE))) return;
  fail(`${target} holds something other than a release: name a new or an empty directory.`);
}
