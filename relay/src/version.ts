import packageJson from "../package.json" with { type: "json" };

/** The relay's version, as its audit chain says it. */
export const VERSION: string = packageJson.version;
