import { type Command, Option } from "commander";
import { startUnderInit } from "../agent/init-process.ts";
import { parsePort } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import type { ReadyHow } from "../mcp/config.ts";
import { passphraseFdOption } from "../owner/options.ts";
import { passphraseFromEnvironment } from "../passphrase/environment.ts";
import { DEFAULT_RELAY_PORT } from "../relay/default-port.ts";
import type { UpReady } from "./bring-up.ts";

interface UpCommandOptions {
  name?: string;
  host: string;
  port: number;
  passphraseFd?: number;
  log?: string;
  logLevel?: string;
  relay?: string;
  json?: boolean;
  install?: boolean;
  signed?: boolean;
}

export function registerUp(program: Command): void {
  program
    .command("up")
    .description("owner, relay and agent for this machine in one command; stays up until Ctrl-C")
    .option("--name <name>", "what this machine is called; its host name unless given")
    .option("--host <address>", "address that the relay listens on", "127.0.0.1")
    .option(
      "--port <port>",
      "port that the relay listens on; 0 lets the system choose",
      parsePort,
      DEFAULT_RELAY_PORT,
    )
    .option("--relay <id@host:port>", "no relay here: use this one, of the same owner, from now on")
    .addOption(passphraseFdOption())
    .option("--log <format>", "log to stderr as text or json; only warnings unless given")
    .option("--log-level <level>", "debug, info, warn or error")
    .option("--json", "print one line of JSON when ready")
    .option("--install", "let systemd run it, from now on and with the machine")
    .addOption(new Option("--signed", "what the owner has to sign has just been signed").hideHelp())
    .addHelpText(
      "after",
      `
The first time it makes the owner key and seals it under a passphrase of words, which it shows this
once, on the terminal (without one, on standard error), with the recovery key, which is kept
nowhere. A passphrase that is given, by --passphrase-fd or in CMDOP_OWNER_PASSPHRASE, is used
instead. After that it needs the passphrase only when its own key is about to end.`,
    )
    .action(async (options: UpCommandOptions) => {
      if (!options.install) return runUp(options);
      const [{ stopInstalled }, { inPlaceOf }] = await Promise.all([
        import("./install.ts"),
        import("../service/in-place-of.ts"),
      ]);
      const startAgain = await stopInstalled(options);
      await inPlaceOf(startAgain, () => runUp(options));
    });
}

/** Shows the one that runs, or brings everything up and stays; with `install`, systemd runs it from then on. */
async function runUp(options: UpCommandOptions): Promise<void> {
  const [{ bringUp }, { signForUp }, { powerOf, readyText }, { Passphrase }, { startOver }, signals] =
    await Promise.all([
      import("./bring-up.ts"),
      import("./signing.ts"),
      import("../mcp/config.ts"),
      import("../passphrase/passphrase.ts"),
      import("../passphrase/start-over.ts"),
      import("../console/signals.ts"),
    ]);
  const [{ runningUp, startingUp }, { relayElsewhere }] = await Promise.all([
    import("./running.ts"),
    import("../home/own-relay.ts"),
  ]);
  const say = async (ready: UpReady, how?: ReadyHow): Promise<void> => {
    const power = powerOf((await relayElsewhere(undefined)) !== undefined);
    process.stdout.write(options.json ? jsonLine(ready) : readyText(ready, power, how));
    if (options.json) note(power);
  };
  // One that is to be installed, or moved to another relay, takes the place of the one that runs.
  const running = options.install || options.relay !== undefined ? undefined : await runningUp();
  if (running !== undefined) return say(running, "running");
  if (options.relay !== undefined && !options.install && !options.signed) {
    await (await import("./move.ts")).refuseBesideAgent(options.relay);
  }
  const isSigned = options.signed === true;
  const hasPassphrase = options.passphraseFd !== undefined || passphraseFromEnvironment() !== undefined;
  // Process 1 stays, and is to have no passphrase in its environment.
  if (isSigned || !hasPassphrase) startUnderInit();
  const stop = signals.terminationSignal();
  const mustSign = !isSigned && passphraseFromEnvironment() !== undefined;
  const up = mustSign ? undefined : await bringUp(options, isSigned).catch(startingUp);
  if (up !== undefined && !("shutdown" in up)) return say(up, "running");
  if (up === undefined) {
    if (isSigned) throw new TypeError("what was signed is not there");
    const passphrase = new Passphrase(options.passphraseFd, stop);
    const other = await signForUp(options, passphrase).catch(startingUp);
    if (other !== undefined) return say(other, "running");
    // Neither this memory nor the environment that this process was started with is for an agent's jobs to read.
    startOver("--signed");
    return;
  }
  if (options.install) {
    // It has been shown to run; from here on systemd runs it.
    await up.shutdown();
    const { installUp } = await import("./install.ts");
    note((await installUp(options)).trimEnd());
    await say(up.ready, "service");
    return;
  }
  try {
    await say(up.ready);
    await signals.aborted(stop);
  } finally {
    await up.shutdown();
  }
}
