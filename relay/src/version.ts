import packageJson from "../package.json" with { type: "json" };

/** The relay's version, as in its audit chain. */
export const VERSION: string = packageJson.version;
