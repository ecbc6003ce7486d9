import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { methodRule } from "../methods.ts";
import type { Page } from "./loopback-http.ts";

/** Upper bounds of a call's duration, in seconds: a keystroke's echo on the left, a build on the right. */
const DURATION_BUCKETS_S = [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 600];

/** Resolution of the loop's delay, in milliseconds. */
const LOOP_RESOLUTION_MS = 20;

const NANOSECONDS = 1e9;

/** A number that is asked for when somebody looks. `labels`: values of a fixed set, never a machine's or a caller's choice. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly values: () => readonly {
    readonly labels?: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** A call that is measured until it ends. */
export type EndMeasured = (outcome: string, bytes?: { readonly in: number; readonly out: number }) => void;

interface CallSeries {
  count: number;
}

interface Durations {
  readonly buckets: number[];
  sumS: number;
  count: number;
}

/**
 * Numbers that a process counts of itself, in Prometheus' text format. Series are bounded:
 * methods are those of the method table, and outcomes are `Ok` and the error codes.
 */
export class Metrics {
  readonly #prefix: string;
  readonly #gauges: readonly Gauge[];
  readonly #calls = new Map<string, CallSeries>();
  readonly #durations = new Map<string, Durations>();
  /** Undefined where no call has told its bytes. */
  #bytes: { in: number; out: number } | undefined;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });

  /** `prefix`: what every name begins with, such as `cmdop_relay`. */
  constructor(prefix: string, gauges: readonly Gauge[]) {
    this.#prefix = prefix;
    this.#gauges = gauges;
    this.#loop.enable();
  }

  /** Counts a call from now to its end. A method that is none of the table's is `other`. */
  begin(path: string): EndMeasured {
    const method = methodRule(path) !== undefined ? path.slice(1) : "other";
    const startedAtMs = performance.now();
    let isOver = false;
    return (outcome, bytes) => {
      if (isOver) return;
      isOver = true;
      const labels = labelsText({ method, outcome });
      const series = this.#calls.get(labels) ?? { count: 0 };
      series.count += 1;
      this.#calls.set(labels, series);
      this.#observe(method, (performance.now() - startedAtMs) / 1000);
      if (bytes === undefined) return;
      this.#bytes ??= { in: 0, out: 0 };
      this.#bytes.in += bytes.in;
      this.#bytes.out += bytes.out;
    };
  }

  /** The pages that Prometheus reads. */
  get pages(): Readonly<Record<string, Page>> {
    return { "/metrics": { type: "text/plain; version=0.0.4; charset=utf-8", body: () => this.text() } };
  }

  close(): void {
    this.#loop.disable();
  }

  /** All series as Prometheus reads them. */
  text(): string {
    const lines: string[] = [];
    const family = (name: string, type: string, help: string, samples: readonly string[]): void => {
      if (samples.length === 0) return;
      const full = `${this.#prefix}_${name}`;
      lines.push(
        `# HELP ${full} ${help}`,
        `# TYPE ${full} ${type}`,
        ...samples.map((sample) => `${full}${sample}`),
      );
    };
    const calls = [...this.#calls].map(([labels, { count }]) => `${labels} ${count}`);
    family("calls_total", "counter", "Calls that are over, by method and outcome.", calls);
    const bytes = Object.entries(this.#bytes ?? {}).map(
      ([direction, value]) => `{direction="${direction}"} ${value}`,
    );
    family("call_bytes_total", "counter", "Bytes of messages, from callers (in) and to them (out).", bytes);
    family("call_duration_seconds", "histogram", "From a call's arrival to its end.", this.#durationLines());
    for (const { name, help, values } of this.#gauges) {
      const samples = values().map(
        ({ labels, value }) => `${labels === undefined ? "" : labelsText(labels)} ${value}`,
      );
      family(name, "gauge", help, samples);
    }
    const loop = [0.5, 0.99, 1].map(
      (q) => `{quantile="${q}"} ${this.#loop.percentile(q * 100) / NANOSECONDS}`,
    );
    family("loop_delay_seconds", "gauge", "Delay of the event loop since the last look.", loop);
    this.#loop.reset();
    family("memory_bytes", "gauge", "Resident memory of the process.", [` ${process.memoryUsage.rss()}`]);
    family("uptime_seconds", "gauge", "Time since the process began.", [` ${process.uptime()}`]);
    return `${lines.join("\n")}\n`;
  }

  #observe(method: string, seconds: number): void {
    const durations = this.#durations.get(method) ?? {
      buckets: DURATION_BUCKETS_S.map(() => 0),
      sumS: 0,
      count: 0,
    };
    this.#durations.set(method, durations);
    DURATION_BUCKETS_S.forEach((bound, index) => {
      if (seconds <= bound) durations.buckets[index] = (durations.buckets[index] ?? 0) + 1;
    });
    durations.sumS += seconds;
    durations.count += 1;
  }

  #durationLines(): string[] {
    return [...this.#durations].flatMap(([method, { buckets, sumS, count }]) => [
      ...buckets.map(
        (value, index) => `_bucket${labelsText({ method, le: String(DURATION_BUCKETS_S[index]) })} ${value}`,
      ),
      `_bucket${labelsText({ method, le: "+Inf" })} ${count}`,
      `_sum${labelsText({ method })} ${sumS}`,
      `_count${labelsText({ method })} ${count}`,
    ]);
  }
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, "_")}"`,
  );
  return `{${pairs.join(",")}}`;
}
