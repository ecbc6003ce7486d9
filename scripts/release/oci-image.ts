import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { SYSTEM_PLACE } from "./debian-package.ts";
import type { Platform } from "./platform.ts";
import { gzip } from "./tarball.ts";

/** Directory of an image's state, which is a volume. */
const HOME = "/var/lib/cmdop";

/** Parts of an image: the tar of its one layer. */
export interface Layer {
  readonly platform: Platform;
  readonly tar: Buffer;
}

/** Writes an OCI image layout with one image a platform; the same layers give the same bytes. */
export function writeOciLayout(
  directory: string,
  layers: readonly Layer[],
  version: string,
  epochS: number,
): void {
  const blobs = path.join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const write = (mediaType: string, content: Buffer) => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(path.join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const created = new Date(epochS * 1000).toISOString();
  const manifests = layers.map(({ platform, tar }) => {
    const layer = write("application/vnd.oci.image.layer.v1.tar+gzip", gzip(tar));
    const system = { os: "linux", architecture: platform.debian };
    const config = write(
      "application/vnd.oci.image.config.v1+json",
      json({
        created,
        ...system,
        config: {
          Entrypoint: [`${SYSTEM_PLACE}/bin/node`, `${SYSTEM_PLACE}/program/main.js`],
          Cmd: ["--help"],
          Env: [`CMDOP_HOME=${HOME}`, "PATH=/usr/bin:/bin"],
          Volumes: { [HOME]: {} },
          Labels: { "org.opencontainers.image.version": version },
        },
        rootfs: {
          type: "layers",
          diff_ids: [`sha256:${createHash("sha256").update(tar).digest("hex")}`],
        },
      }),
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = write(mediaType, json({ schemaVersion: 2, mediaType, config, layers: [layer] }));
    return { ...manifest, platform: system };
  });
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = write(mediaType, json({ schemaVersion: 2, mediaType, manifests }));
  const named = { ...index, annotations: { "org.opencontainers.image.ref.name": version } };
  writeFileSync(
    path.join(directory, "index.json"),
    json({ schemaVersion: 2, mediaType, manifests: [named] }),
  );
  writeFileSync(path.join(directory, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
}
