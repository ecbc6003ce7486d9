import { CommanderError } from "commander";
import { registerAgent } from "./agent/agent.ts";
import { registerApprove, registerRefuse } from "./approvals/answer.ts";
import { registerApprovals } from "./approvals/approvals-command.ts";
import { registerAudit } from "./audit/audit.ts";
import { registerCompletion } from "./completion/completion.ts";
import { registerCp } from "./copy/cp.ts";
import { registerDoctor } from "./doctor/doctor.ts";
import { registerStatus } from "./doctor/status.ts";
import { registerCancel } from "./jobs/cancel.ts";
import { registerExec } from "./jobs/exec.ts";
import { registerJobs, registerSessions } from "./jobs/jobs.ts";
import { registerLogs } from "./jobs/logs.ts";
import { registerKeys } from "./keys/keys.ts";
import { registerJoinToken } from "./machines/join-token.ts";
import { registerMachines } from "./machines/machines.ts";
import { registerMcp } from "./mcp/mcp.ts";
import { registerInit } from "./owner/init.ts";
import { registerOwner } from "./owner/owner-command.ts";
import { registerPolicy } from "./policy/policy.ts";
import { registerRelay } from "./relay/relay.ts";
import { registerModel } from "./runs/model.ts";
import { registerRun } from "./runs/run.ts";
import { registerAttach } from "./shell/attach.ts";
import { registerShell } from "./shell/shell.ts";
import { registerUp } from "./up/up.ts";
// Whatever the command, the owner's passphrase leaves the environment as the program begins.
import "./passphrase/environment.ts";
import { CliCommand } from "./console/cli-command.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, ExitWith, failedWith } from "./console/exit.ts";
import { setOutput } from "./console/output.ts";
import { addOutputOptions, applyOutputOptions, asksForJson } from "./console/output-options.ts";
import { parserOutput } from "./console/parser-output.ts";
import { describeSettings } from "./home/describe-settings.ts";
import { type Distrust, whyDistrusted } from "./home/trusted-home.ts";
import { VERSION } from "./version.ts";
import { registerVersion } from "./version-command.ts";

const ENVIRONMENT_HELP = `
Environment:
  CMDOP_HOME      where keys, profile and state are (default: ~/.cmdop)
  CMDOP_API_KEY   the key to use instead of the profile's
  CMDOP_RELAY     host:port of the relay, where it is not the one in the key
  CMDOP_MACHINE   the machine to use where none is named
  CMDOP_OWNER_PASSPHRASE  opens the owner key, where there is no terminal to ask on`;

/** Runs one command line. Returns the exit code: 2 for wrong use, 1 for a failure, otherwise what the command says. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  setOutput({ json: asksForJson(argv) });
  const program = commandLine();
  // Not before somebody wants more than to be told how it is used.
  program.hook("preAction", async (_program, command) => {
    applyOutputOptions(command);
    // The doctor finds out itself whether the home may be trusted.
    if (command.name() === "doctor") return;
    await refuseDistrusted();
    await describeSettings();
  });
  try {
    await program.parseAsync([...argv]);
    return EXIT_OK;
  } catch (thrown) {
    if (thrown instanceof ExitWith) return thrown.exitCode;
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    return failedWith(thrown, EXIT_FAILURE);
  }
}

/** All commands and their options: what is parsed, completed and documented. */
export function commandLine(): CliCommand {
  const program = new CliCommand("cmdop")
    .description("Turn any machine into an API endpoint and an AI tool.")
    .version(VERSION, "-V, --version")
    .addHelpText("after", ENVIRONMENT_HELP)
    .showHelpAfterError("Run it with --help to see how it is used.")
    .configureOutput(parserOutput)
    // After a command's name, only its own options count: `exec m -- ls -h`.
    .enablePositionalOptions()
    .exitOverride();
  // The order is that of a newcomer's way.
  for (const register of [
    registerUp,
    registerExec,
    registerRun,
    registerCp,
    registerShell,
    registerAttach,
    registerSessions,
    registerJobs,
    registerLogs,
    registerCancel,
    registerMachines,
    registerMcp,
    registerStatus,
    registerDoctor,
    registerInit,
    registerRelay,
    registerJoinToken,
    registerAgent,
    registerModel,
    registerKeys,
    registerApprovals,
    registerApprove,
    registerRefuse,
    registerAudit,
    registerPolicy,
    registerOwner,
    registerVersion,
  ]) {
    register(program);
  }
  registerCompletion(program, commandLine);
  addOutputOptions(program);
  return program;
}

/** Every other command reads the home, and trusts what it says. */
async function refuseDistrusted(): Promise<void> {
  const [{ diskError }, { cmdopHome, CmdopError }] = await Promise.all([
    import("@cmdop/proto"),
    import("@cmdop/sdk"),
  ]);
  const home = cmdopHome();
  let distrust: Distrust | undefined;
  try {
    distrust = whyDistrusted(home);
  } catch (thrown) {
    throw diskError(thrown, "read", home);
  }
  if (distrust !== undefined) throw new CmdopError("AccessDenied", distrust.reason, { next: distrust.next });
}
