// Runs before any package manager installs this workspace. npm and yarn don't read
// pnpm-lock.yaml: they would leave out the packages of this repository, and what is
// started then ends with a module that is not found. Runs on whatever Node there is.
import process from "node:process";

const agent = process.env.npm_config_user_agent ?? "";
if (!agent.startsWith("pnpm/")) {
  console.error("error: this workspace is not installed by npm install.");
  console.error("next:  Run npm run setup: it gets pnpm, Node 24 and all packages into this directory.");
  process.exit(1);
}
