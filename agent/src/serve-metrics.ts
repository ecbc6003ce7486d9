import { type EndMeasured, LoopbackHttp, Metrics } from "@cmdop/proto";
import type { Jobs } from "./jobs/jobs.ts";

/** The agent's numbers, served on loopback. */
export interface Measured {
  readonly port: number;
  begin(path: string): EndMeasured;
  close(): Promise<void>;
}

/** Serves /metrics on a loopback port; undefined where none was asked for. */
export async function serveMetrics(
  port: number | undefined,
  jobs: Pick<Jobs, "running" | "journalBytes" | "outputBytes">,
): Promise<Measured | undefined> {
  if (port === undefined) return undefined;
  const metrics = new Metrics("cmdop_agent", [
    {
      name: "running_jobs",
      help: "Commands, sessions and runs that run.",
      values: () => [{ value: jobs.running }],
    },
    {
      name: "journal_bytes",
      help: "Output that is kept, in files and of it in memory.",
      values: () => [
        { labels: { in: "files" }, value: jobs.journalBytes },
        { labels: { in: "memory" }, value: jobs.outputBytes },
      ],
    },
  ]);
  const http = new LoopbackHttp(metrics.pages);
  const taken = await http.listen(port, "metrics").catch((thrown) => {
    metrics.close();
    throw thrown;
  });
  return {
    port: taken,
    begin: (path) => metrics.begin(path),
    async close() {
      metrics.close();
      await http.close();
    },
  };
}
