import type { Command } from "commander";
import { registerPolicyCheck } from "./check.ts";
import { registerPolicyExplain } from "./explain.ts";

export function registerPolicy(program: Command): void {
  const policy = program
    .command("policy")
    .description("what a machine allows: check its policy file, explain a decision")
    .enablePositionalOptions();
  registerPolicyCheck(policy);
  registerPolicyExplain(policy);
}
