import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { latencies } from "../statistics.ts";
import type { BenchContext, Row } from "../suite.ts";

/** Authorising and recording may take at most this share of an exec's own time. */
const AIM = { atMost: 0.1 };

/** Calls that the cost is spread over; what a start costs once is lost among them. */
const CALLS = { count: 1_000, warmUp: 100 };

/** How often V8 looks where a process is, in microseconds: a call spends some hundreds in what is measured. */
const SAMPLE_INTERVAL_US = 100;

/** The source of all that finds out who calls, decides whether they may, and writes that down. */
const TRUST =
  /\/(?:proto\/src\/(?:audit|credentials)|agent\/src\/(?:audit|policy|approvals|doors\/(?!connection-server|local-door))|relay\/src\/(?:audit|data\/(?:authenticate|route|directory|failed-logins|recorder)))/;

/** What V8 writes: a tree of functions, and in which of them each sample found the process. */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ url: z.string() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/**
 * What authorising and recording one exec costs, beside `p50Ms`, the exec's
 * own median: relay and agent run under V8's sampling profiler, and the time in
 * which their main threads were in the source of TRUST, or in what it called
 * (writing the record among it), is divided by the calls.
 */
export async function trustCost(p50Ms: number, { directory, progress }: BenchContext): Promise<Row> {
  progress("what authorising and recording cost");
  const profiles = path.join(directory, "profiles");
  await using cluster = await Cluster.start();
  const machine = await cluster.addMachine("bench");
  await using client = await cluster.client();
  await machine.process.stop();
  await cluster.relay.stop();
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${profiles} --cpu-prof-interval=${SAMPLE_INTERVAL_US}`;
  try {
    await cluster.restartRelay();
    await cluster.restartAgent(machine);
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
  await latencies(() => client.terminal.execute("true"), CALLS);
  // Profiles are written when their process ends in peace.
  await machine.process.stop();
  await cluster.relay.stop();
  const names = await readdir(profiles);
  if (names.length !== 2)
    throw new Error(`${names.length} profiles, not one of the relay and one of the agent`);
  let spentUs = 0;
  for (const name of names) spentUs += trustTimeUs(await readFile(path.join(profiles, name), "utf8"));
  return {
    name: "authorising and recording an exec, relay + agent, sampled; beside our own p50",
    unit: "ms",
    ours: spentUs / 1_000 / (CALLS.count + CALLS.warmUp),
    theirs: p50Ms,
    aim: AIM,
  };
}

/** Microseconds of a profile in which TRUST was anywhere on the stack. */
export function trustTimeUs(text: string): number {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(text));
  const inTrust = new Set(nodes.filter(({ callFrame }) => TRUST.test(callFrame.url)).map(({ id }) => id));
  // A node's children have larger places in the list than itself, so one pass carries it down.
  for (const { id, children = [] } of nodes) {
    if (inTrust.has(id)) for (const child of children) inTrust.add(child);
  }
  return samples.reduce((sum, id, index) => sum + (inTrust.has(id) ? (timeDeltas[index] ?? 0) : 0), 0);
}
