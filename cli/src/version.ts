import packageJson from "../package.json" with { type: "json" };

/** The version of the whole of cmdop: its packages are released together. */
export const VERSION: string = packageJson.version;
