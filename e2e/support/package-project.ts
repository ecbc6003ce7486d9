import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { PUBLISHED_SCOPE } from "../../scripts/packages/published.ts";
import { cmdopEnvironment } from "./cmdop-process.ts";

const run = promisify(execFile);

const TSC = path.join(import.meta.dirname, "../../node_modules/.bin/tsc");

/** Settings of a user's compiler, beside those of a resolution. */
const COMPILER = {
  target: "es2022",
  lib: ["es2022", "esnext.disposable"],
  types: ["node"],
  strict: true,
  // Our declarations are checked, too.
  skipLibCheck: false,
};

/** Ways in which projects find packages, and the extension that makes of a file a module or CommonJS. */
const RESOLUTIONS = { nodenext: "mts", commonjs: "cts", bundler: "mts" } as const;

export type Resolution = keyof typeof RESOLUTIONS;

/** A project outside the workspace, with our packages from their tarballs. Dispose it and nothing is left. */
export class PackageProject implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Packs what `npm run build` has made in `packages`, and installs it beside others, by npm's names and versions. */
  static async install(packages: string, others: Readonly<Record<string, string>>): Promise<PackageProject> {
    const project = new PackageProject(await mkdtemp(path.join(os.tmpdir(), "cmdop-project-")));
    try {
      const tarballs = path.join(project.directory, "tarballs");
      await mkdir(tarballs);
      const folders = await readdir(packages);
      await run(
        "npm",
        ["pack", "--silent", "--pack-destination", tarballs, ...folders.map((folder) => `./${folder}`)],
        {
          cwd: packages,
        },
      );
      const ours = (await readdir(tarballs)).map((file) => [installedName(file), `file:tarballs/${file}`]);
      const dependencies = { ...Object.fromEntries(ours), ...others };
      await project.write("package.json", JSON.stringify({ private: true, dependencies }));
      await run(
        "npm",
        ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent"],
        {
          cwd: project.directory,
        },
      );
      return project;
    } catch (thrown) {
      await project[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(path.join(this.directory, name), text);
  }

  /**
   * Compiles a program with each resolution; returns the JavaScript to start it by. Throws with what the
   * compiler says.
   */
  async compile(program: string, tsc = TSC): Promise<Record<Resolution, string>> {
    for (const [name, extension] of Object.entries(RESOLUTIONS))
      await this.write(`${name}.${extension}`, program);
    // By its extension a file is a module or CommonJS.
    await this.#compile(tsc, ["nodenext.mts", "commonjs.cts"], { module: "nodenext" });
    await this.#compile(tsc, ["bundler.mts"], { module: "esnext", moduleResolution: "bundler" });
    const out = (name: string): string => path.join(this.directory, "out", name);
    await build({
      entryPoints: [out("bundler.mjs")],
      outfile: out("bundled.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
    });
    return { nodenext: out("nodenext.mjs"), commonjs: out("commonjs.cjs"), bundler: out("bundled.mjs") };
  }

  async #compile(tsc: string, files: readonly string[], resolution: object): Promise<void> {
    const compilerOptions = { ...COMPILER, ...resolution, outDir: "out" };
    await this.write("tsconfig.json", JSON.stringify({ compilerOptions, files }));
    await this.run([tsc, "-p", "."]);
  }

  /** Runs a program in the project; throws with what it wrote where it fails. */
  async run(
    [program = "", ...args]: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ stdout: string; stderr: string }> {
    try {
      return await run(program, args, { cwd: this.directory, env: cmdopEnvironment(env) });
    } catch (thrown) {
      if (!(thrown instanceof Error && "stdout" in thrown && "stderr" in thrown)) throw thrown;
      throw new Error(`${program} ${args.join(" ")} failed:\n${thrown.stdout}${thrown.stderr}`);
    }
  }

  /** The Node that was installed under this name. */
  node(name: string): string {
    return path.join(this.directory, "node_modules", name, "bin/node");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The name to install a tarball under: README's for the SDK, as `npm install @cmdop/sdk@npm:SCOPE/sdk` does. */
function installedName(tarball: string): string {
  const [, name = ""] = new RegExp(`^${PUBLISHED_SCOPE.slice(1)}-(.+)-\\d`).exec(tarball) ?? [];
  return name === "sdk" ? "@cmdop/sdk" : `${PUBLISHED_SCOPE}/${name}`;
}
