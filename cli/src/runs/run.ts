import { AGENT_TYPES, type AgentTypeName, RUN_APPROVES, type RunApproveName } from "@cmdop/proto";
import { type Command, Option } from "commander";
import { parseCount } from "../console/arguments.ts";
import { parseDuration } from "../console/duration.ts";
import { ExitWith, usageError } from "../console/exit.ts";

interface RunCommandOptions {
  type: AgentTypeName;
  schema?: string;
  maxSteps?: number;
  timeout?: number;
  approve?: RunApproveName;
  json?: boolean;
}

export function registerRun(program: Command): void {
  program
    .command("run")
    .description("let an LLM agent work on a machine, with that machine's model; prints its answer")
    .usage('[options] MACHINE "prompt"')
    .argument("<words...>", "id or name of the machine, or CMDOP_MACHINE; the agent's task")
    .addOption(new Option("--type <type>", "what kind of agent").choices(AGENT_TYPES).default("terminal"))
    .option("--schema <file>", "a JSON Schema of an object: the answer has this shape")
    .option("--max-steps <count>", "most calls of the model; default 50", parseCount)
    .option("--timeout <duration>", "end the run after this time: 30s, 5m", parseDuration)
    .addOption(
      new Option("--approve <what>", "ask you before the agent does this").choices(
        RUN_APPROVES.filter((name) => name !== "none"),
      ),
    )
    .option("--json", "print one line of JSON with the answer and all facts of the run")
    .addHelpText(
      "after",
      `
Examples:
  cmdop run web-1 "Why is the disk full?"
  cmdop run web-1 "Restart what is down" --type planner --timeout 10m
  cmdop run web-1 "Check the health" --schema health.json | jq .issues
  cmdop run web-1 "Tidy up /var/log" --approve all

chat answers without tools; terminal uses commands and files; command runs one command; router
chooses one of the others; planner plans first and checks each step. The agent may do what the key
may do, and no more. What it does is shown on standard error, its answer goes to standard output.

--approve asks at the terminal, and shows what a tool is about to do: writes (whatever can change the
machine: files, and commands, which can write as well), commands (tools that run commands or type into
sessions; files are changed without asking), all (also tools that read files). Anything but y or yes is a
no, and so is no answer for five minutes. Without a terminal nobody could answer, so it fails at once;
the machine's policy can ask there instead (cmdop approvals --help).

Ctrl-C cancels the run, with the commands that it has started, and waits for the end. A lost link
does not end it. cmdop logs MACHINE RUN shows later what it did; cmdop model test checks the model.

Exit codes: 0 when it came to its answer; 1 when it failed (model, budget, schema); 124 when it ran
into its time limit; 130 when it was canceled; 255 when cmdop itself failed or the outcome is unknown.`,
    )
    .action(async (words: string[], options: RunCommandOptions) => {
      const { type, schema, maxSteps, timeout, approve, json = false } = options;
      const { machine, prompt } = target(words);
      if (approve !== undefined) checkTerminal();
      const [{ readSchemaFile }, { runAgent }] = await Promise.all([
        import("./schema-file.ts"),
        import("./run-agent.ts"),
      ]);
      const outputJsonSchema = schema === undefined ? undefined : await readSchemaFile(schema);
      const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
      throw new ExitWith(
        await runAgent(machine, prompt, {
          agentType: type,
          outputJsonSchema,
          maxSteps,
          timeoutMs,
          approve,
          json,
        }),
      );
    });
}

function target(words: readonly string[]): { machine: string; prompt: string } {
  const own = process.env.CMDOP_MACHINE;
  const [machine, prompt, ...rest] = words.length === 1 && own ? [own, ...words] : words;
  if (machine !== undefined && prompt !== undefined && rest.length === 0) return { machine, prompt };
  throw usageError(
    "a machine and one prompt are needed.",
    'Use cmdop run MACHINE "prompt", or set CMDOP_MACHINE.',
  );
}

/**
 * Refuses to ask without a terminal: questions are shown on standard error and answered on standard input.
 */
function checkTerminal(): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw usageError(
    "--approve asks at the terminal, but there is none, so the agent's questions could not be answered.",
    "Run it in a terminal, or omit --approve and let the machine's policy ask somebody else: cmdop approvals --help.",
  );
}
