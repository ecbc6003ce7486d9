import built from "./build-info.json" with { type: "json" };

/** What a release knows of itself. From source nothing: the file is replaced where the program is bundled. */
export interface BuildInfo {
  /** The commit that it was made from. */
  readonly commit: string | null;
  /** When that was committed, in seconds since 1970. */
  readonly committedAt: number | null;
  /** The public half of the key that signs releases, 32 bytes as base64url. */
  readonly releaseKey: string | null;
}

/** This build. */
export const BUILD: BuildInfo = built;
