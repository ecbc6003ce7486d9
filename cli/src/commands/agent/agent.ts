import type { Command } from "commander";

interface AgentCommandOptions {
  join?: string;
  log: "text" | "json";
  json?: boolean;
}

export function registerAgent(program: Command): void {
  program
    .command("agent")
    .description("run the agent: makes this machine reachable through the relay")
    .option(
      "--join <token>",
      "join with this token, the first time; - reads it from standard input, CMDOP_JOIN_TOKEN works too",
    )
    .option("--log <format>", "text or json, on stderr", "text")
    .option("--json", "print one line of JSON when the relay has welcomed this machine")
    .action(async (options: AgentCommandOptions) => {
      const [{ Agent }, { homePaths }, { stderrLog }, { aborted, terminationSignal }, { VERSION }] =
        await Promise.all([
          import("@cmdop/agent"),
          import("../../home.ts"),
          import("../../log.ts"),
          import("../../signals.ts"),
          import("../../version.ts"),
        ]);
      const stop = terminationSignal();
      const agent = new Agent({
        home: homePaths.home(),
        joinToken:
          options.join === "-" ? await standardInput() : (options.join ?? process.env.CMDOP_JOIN_TOKEN),
        relayAddress: process.env.CMDOP_RELAY,
        version: VERSION,
        log: stderrLog(options.log),
      });
      await agent.start();
      try {
        const linked = agent.linked().then(() => {
          const { id, name } = agent.identity;
          process.stdout.write(
            options.json ? `${JSON.stringify({ machine: { id, name } })}\n` : `machine ${name} is online\n`,
          );
        });
        // Not to be reached yet is a wait; to be refused is an end.
        await Promise.race([linked.then(() => aborted(stop)), aborted(stop)]);
      } finally {
        await agent.shutdown();
      }
    });
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8").trim();
}
