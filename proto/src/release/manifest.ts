import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type KeyPair, type PublicKey, thumbprint } from "../credentials/ed25519.ts";
import { bytes32Schema, secondsSchema } from "../credentials/fields.ts";
import {
  readUnverified,
  type StatementKind,
  signStatement,
  verifyStatement,
} from "../credentials/statement.ts";

/** The file of a release that says what it consists of, beside its archives. */
export const MANIFEST_FILE = "manifest.jws";

/** The script of a release that unpacks an archive and starts what it is asked for. */
export const INSTALLER_FILE = "install.sh";

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in lower-case hex");

/** A name of a file without a directory: it is served and fetched by it. */
const fileSchema = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/, "expected the plain name of a file");

/** Plain numbers: what comes first in time must be told from what comes later. */
const versionSchema = z.string().regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}$/, "expected a version such as 1.2.3");

const artefactSchema = z.strictObject({ file: fileSchema, sha256: sha256Schema, bytes: z.int().min(1) });

const manifestSchema = z.strictObject({
  product: z.literal("cmdop"),
  version: versionSchema,
  /** The commit that it was made from, and its time in seconds since 1970. */
  commit: z.string().regex(/^[0-9a-f]{40}$/, "expected a commit"),
  committedAt: secondsSchema,
  protocol: z.int().min(1),
  installer: artefactSchema,
  /** By Node's name of the platform: `linux-x64`. */
  archives: z.record(z.string().regex(/^[a-z0-9]+-[a-z0-9]+$/), artefactSchema),
});

/** A file of a release: its name, its SHA-256 in hex and its length. */
export type Artefact = z.infer<typeof artefactSchema>;

/** A release's statement about itself. */
export type ReleaseManifest = z.infer<typeof manifestSchema>;

const RELEASE: StatementKind<ReleaseManifest> = {
  type: "cmdop-release+jws",
  claims: manifestSchema,
  refusal: "AccessDenied",
};

/** Signs what a release says, with its release key. */
export function signManifest(manifest: ReleaseManifest, signer: KeyPair): Promise<string> {
  return signStatement(RELEASE, manifest, signer);
}

/** Reads the manifest of a release and checks the release key's signature. @throws CmdopError AccessDenied */
export async function verifyManifest(text: string, releaseKey: PublicKey): Promise<ReleaseManifest> {
  const id = thumbprint(bytes32Schema.parse(releaseKey));
  const keyOf = (signer: string): PublicKey | undefined => (signer === id ? releaseKey : undefined);
  return (await verifyStatement(RELEASE, text.trim(), keyOf)).claims;
}

/** Reads the manifest of a release without a check of its signature, for a relay that only hands it on. @throws CmdopError AccessDenied */
export function readManifest(text: string): ReleaseManifest {
  return readUnverified(RELEASE, text.trim()).claims;
}

/** Returns true if these bytes are the file that the manifest means. */
export function isArtefact({ sha256, bytes }: Artefact, content: Uint8Array): boolean {
  if (content.length !== bytes) return false;
  return timingSafeEqual(createHash("sha256").update(content).digest(), Buffer.from(sha256, "hex"));
}
