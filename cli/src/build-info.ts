import built from "./build-info.json" with { type: "json" };

/** Facts about a build that its program knows. From source there are none: the bundle of a release replaces the file. */
export interface BuildInfo {
  /** The commit that it was made from. */
  readonly commit: string | null;
  /** Time of the commit, in seconds since 1970. */
  readonly committedAt: number | null;
  /** The public half of the key that signs releases, 32 bytes as base64url. */
  readonly releaseKey: string | null;
}

/** This build. */
export const BUILD: BuildInfo = built;
