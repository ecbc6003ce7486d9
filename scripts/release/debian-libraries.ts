import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import path from "node:path";
import { run } from "./commands.ts";
import type { Platform } from "./platform.ts";

/** The packages that have what Node is linked with. */
const PACKAGES = ["libc6", "libstdc++6", "libgcc-s1", "gcc-12-base"];

/** Those of them that have the notices; the others refer to these. */
const NOTICES = ["libc6", "gcc-12-base"];

/** Libraries that Node, the terminal part and name resolution load. */
const LIBRARIES = [
  "libc.so.6",
  "libm.so.6",
  "libdl.so.2",
  "libpthread.so.0",
  "librt.so.1",
  "libresolv.so.2",
  "libutil.so.1",
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libstdc++.so.6",
  "libgcc_s.so.1",
];

/** A package of Debian's that a release has parts of. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
}

/** Debian's C library for a platform, unpacked. */
export interface Libraries {
  readonly packages: readonly DebianPackage[];
  /** Copies loader and libraries. */
  copyTo(directory: string): void;
  /** Copies what their licences ask to be given along. */
  copyNoticesTo(directory: string): void;
}

/** Fetches them as apt does, checked by Debian's keys, with lists of its own: this machine's apt is left alone. */
export function fetchLibraries({ debian, triplet, loader }: Platform, cache: string): Libraries {
  const directory = path.join(cache, `debian-${debian}`);
  const [debs, root] = [path.join(directory, "debs"), path.join(directory, "root")];
  rmSync(debs, { recursive: true, force: true });
  rmSync(root, { recursive: true, force: true });
  for (const place of ["debs", "root", "lists/partial", "cache/archives/partial"]) {
    mkdirSync(path.join(directory, place), { recursive: true });
  }
  const own = [
    `APT::Architecture=${debian}`,
    "APT::Sandbox::User=root",
    `Dir::State::lists=${directory}/lists`,
    `Dir::Cache=${directory}/cache`,
    "Dir::State::status=/dev/null",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...own, "-q", "update"]);
  run("apt-get", [...own, "-q", "download", ...PACKAGES], debs);
  const files = readdirSync(debs).sort();
  const packages = files.map((file) => {
    run("dpkg-deb", ["-x", path.join(debs, file), root]);
    const [name = "", version = ""] = file.split("_");
    const sha256 = createHash("sha256")
      .update(readFileSync(path.join(debs, file)))
      .digest("hex");
    return { name, version: decodeURIComponent(version), sha256 };
  });
  const places = [path.join(root, "lib", triplet), path.join(root, "usr/lib", triplet)];
  const found = (name: string): string => {
    for (const place of places) {
      if (readdirSync(place).includes(name)) return realpathSync(path.join(place, name));
    }
    throw new Error(`${PACKAGES.join(", ")} for ${debian} have no ${name}.`);
  };
  return {
    packages,
    copyTo: (target) => {
      for (const name of [loader, ...LIBRARIES]) cpSync(found(name), path.join(target, name));
    },
    copyNoticesTo: (target) => {
      for (const name of NOTICES) {
        const notice = realpathSync(path.join(root, "usr/share/doc", name, "copyright"));
        cpSync(notice, path.join(target, `${name}.txt`));
      }
    },
  };
}
