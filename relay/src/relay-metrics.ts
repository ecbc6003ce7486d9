import { LANES, type LaneName, Metrics } from "@cmdop/proto";

/** Sources of the relay's numbers. */
export interface RelayNumbers {
  readonly links: () => Readonly<Record<LaneName, number>>;
  readonly connections: () => Readonly<Record<string, number>>;
  readonly calls: () => number;
  readonly machines: () => number;
}

/** Makes the metrics of a relay. */
export function relayMetrics({ links, connections, calls, machines }: RelayNumbers): Metrics {
  return new Metrics("cmdop_relay", [
    {
      name: "links",
      help: "Links of agents that are up, by lane; a machine is online by its interactive one.",
      values: () => LANES.map((lane) => ({ labels: { lane }, value: links()[lane] })),
    },
    {
      name: "connections",
      help: "Connections in all, of strangers that have shown no credential yet, and of callers.",
      values: () => Object.entries(connections()).map(([of, value]) => ({ labels: { of }, value })),
    },
    { name: "open_calls", help: "Calls that are open.", values: () => [{ value: calls() }] },
    { name: "machines", help: "Machines that have joined.", values: () => [{ value: machines() }] },
  ]);
}
