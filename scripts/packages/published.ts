/**
 * The scope under which packages are published. `@cmdop`, which they have inside the workspace, is somebody
 * else's on the registry. docs/decisions/0027-packages.md says how to change it.
 */
export const PUBLISHED_SCOPE = "@cmdop-ts";

/** The source of the packages, as their manifests name it. */
export const REPOSITORY = "git+https://github.com/cmdop-ts/cmdop.git";

/** The scope inside the workspace. */
const WORKSPACE_SCOPE = "@cmdop";

/**
 * Dependencies that an application shares with us, and the range that we work with: a schema that it passes
 * must be of the same zod that checks it.
 */
export const PEERS: Readonly<Record<string, string>> = { zod: "^4.1.0" };

/** The name under which a package of the workspace is published: `@cmdop/sdk`, and `cmdop` itself, in the scope. */
export function publishedName(name: string): string {
  return name.includes("/")
    ? name.replace(`${WORKSPACE_SCOPE}/`, `${PUBLISHED_SCOPE}/`)
    : `${PUBLISHED_SCOPE}/${name}`;
}

/** Compiled code, or its declarations, that imports our packages by their published names. */
export function withPublishedImports(code: string): string {
  return code.replace(
    /(\bfrom |\bimport\(|\bimport )"(@cmdop\/[\w-]+)/g,
    (_, before, name) => `${before}"${publishedName(name)}`,
  );
}
