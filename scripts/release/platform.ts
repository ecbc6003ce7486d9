/** A platform that a release is made for. */
export interface Platform {
  /** Node's name of it, which the manifest uses. */
  readonly name: string;
  /** Debian's, and OCI's. */
  readonly debian: string;
  /** The directory of its libraries in Debian's packages. */
  readonly triplet: string;
  /** The program loader of its C library. */
  readonly loader: string;
  readonly strip: string;
}

export const PLATFORMS: readonly Platform[] = [
  {
    name: "linux-x64",
    debian: "amd64",
    triplet: "x86_64-linux-gnu",
    loader: "ld-linux-x86-64.so.2",
    strip: "x86_64-linux-gnu-strip",
  },
  {
    name: "linux-arm64",
    debian: "arm64",
    triplet: "aarch64-linux-gnu",
    loader: "ld-linux-aarch64.so.1",
    strip: "aarch64-linux-gnu-strip",
  },
];
