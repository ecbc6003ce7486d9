import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { type AskedTool, ModelServer } from "../../../e2e/support/model-server.ts";
import { percentile } from "../statistics.ts";
import type { Row, Suite } from "../suite.ts";

/** Runs of one row, the first of which only warms up, and steps of each: what a short task takes. */
const RUNS = 21;
const STEPS = 10;

/** A file so small that reading it takes no time. */
const FILE_BYTES = 1_024;

/**
 * The time from a model's answer, which asks for a tool, to the next call of the
 * model. The model is a server on this machine that answers at once.
 */
export const agent: Suite = {
  name: "agent",
  about: "a step of an agent's run: everything but the model and the tool",
  async run({ directory, progress }) {
    const file = path.join(directory, "small.txt");
    await writeFile(file, "x".repeat(FILE_BYTES));
    await using model = await ModelServer.start();
    await using cluster = await Cluster.start();
    const machine = await cluster.addMachine("bench");
    await model.serve(machine.home);
    await using client = CMDOPClient.local({ home: machine.home });

    // Refused before it does anything: what is left is the loop.
    const nothing = { name: "wait_command", arguments: { jobId: randomUUID() } };
    const read = { name: "read_file", arguments: { path: file } };
    const rows: Row[] = [];
    for (const [name, tool] of [
      ["a tool that does nothing", nothing],
      ["read_file, 1 KiB, recorded", read],
    ] as const) {
      progress(`step of a run, ${name}`);
      const steps = await stepsOf(client, model, tool);
      for (const [label, share] of [
        ["p50", 0.5],
        ["p99", 0.99],
      ] as const) {
        rows.push({
          name: `step of a run, ${name}, ${label}`,
          unit: "ms",
          ours: percentile(steps, share),
          theirs: null,
        });
      }
    }
    return rows;
  },
};

/** How long each step took, in milliseconds. */
async function stepsOf(client: CMDOPClient, model: ModelServer, tool: AskedTool): Promise<number[]> {
  const took: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const answeredAtMs: number[] = [];
    const answered = <R>(reply: R): R => {
      answeredAtMs.push(performance.now());
      return reply;
    };
    const step = () => answered({ tools: [tool] });
    model.script(...Array.from({ length: STEPS }, () => step), { text: "Done." });
    await client.agent.run("Work.");
    if (run === 0) continue;
    for (const [index, { atMs }] of model.calls.slice(1).entries()) {
      const answeredAt = answeredAtMs[index];
      if (answeredAt === undefined) throw new Error("the model was called before it had answered");
      took.push(atMs - answeredAt);
    }
  }
  return took;
}
