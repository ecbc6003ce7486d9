import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../lockfile.ts";
import { buildLibraries, buildProgramPackage } from "./build.ts";

/** npm run build: the packages that users install, in dist/packages. */
const target = path.join(ROOT, "dist/packages");
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
buildLibraries(target);
await buildProgramPackage(target);
console.log(`wrote ${path.relative(ROOT, target)}: try one with npm pack, publish it with npm publish`);
