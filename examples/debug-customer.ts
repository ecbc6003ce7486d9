/**
 * A support engineer with a customer's temporary key: see what runs, read the
 * logs, look at the disk, and leave nothing behind.
 *
 *   CMDOP_API_KEY=cmd_… node examples/debug-customer.ts '~/Library/Logs/MyApp/error.log'
 */
import { CMDOPClient } from "@cmdop/sdk";

/** What an engineer wants to know first. */
export interface Diagnosis {
  readonly processes: string;
  readonly errors: string;
  readonly disk: string;
}

/** Looks around on a customer's machine. */
export async function diagnose(machine: CMDOPClient, errorLog: string): Promise<Diagnosis> {
  await using session = await machine.terminal.create({ shell: "/bin/sh", cols: 200, env: { PS1: "$ " } });
  await session.waitFor(/\$ $/);

  /** Types a line and returns what was shown before the next prompt. */
  const run = async (line: string): Promise<string> => {
    await session.sendInput(`${line}\n`);
    const { before } = await session.waitFor(/^\$ $/m);
    return before.slice(before.indexOf("\n") + 1);
  };

  const processes = await run("ps aux");
  const errors = await machine.files.readText(errorLog);
  const disk = await run("df -h");
  return { processes, errors, disk };
}

if (import.meta.main) {
  await using machine = CMDOPClient.remote();
  const { processes, errors, disk } = await diagnose(machine, process.argv[2] ?? "/var/log/syslog");
  console.log(`${processes}\n${errors}\n${disk}`);
}
