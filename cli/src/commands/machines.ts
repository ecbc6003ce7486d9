import type { Command } from "commander";

export function registerMachines(program: Command): void {
  program
    .command("machines")
    .description("list the machines that the key reaches")
    .option("--json", "print JSON, a line a machine")
    .action(async (options: { json?: boolean }) => {
      const { CMDOPClient } = await import("@cmdop/sdk");
      await using client = CMDOPClient.fromProfile();
      const machines = await client.machines.list();
      if (options.json) {
        for (const machine of machines) process.stdout.write(`${JSON.stringify(machine)}\n`);
        return;
      }
      if (machines.length === 0) process.stderr.write("This key reaches no machine.\n");
      const width = Math.max(4, ...machines.map(({ name }) => name.length));
      for (const { name, online, lastSeenMs, labels } of machines) {
        const seen = lastSeenMs === null ? "never seen" : `last seen ${new Date(lastSeenMs).toISOString()}`;
        const labelled = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
        process.stdout.write(
          `${[name.padEnd(width), online ? "online" : `offline, ${seen}`, ...labelled].join("  ")}\n`,
        );
      }
    });
}
