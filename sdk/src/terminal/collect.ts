import type { ExecEnd, ExecEvent, ExecResult } from "./types.ts";

/** Bytes of output kept in a result unless the caller says otherwise. */
export const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Reads a job's events to the end and makes its result. */
export async function collect(events: AsyncIterable<ExecEvent>, maxOutputBytes: number): Promise<ExecResult> {
  const kept = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  let room = maxOutputBytes;
  let overLimitBytes = 0;
  let droppedByMachineBytes = 0;
  let end: ExecEnd | undefined;
  for await (const event of events) {
    if (event.type === "stdout" || event.type === "stderr") {
      const data = event.data.length <= room ? event.data : event.data.subarray(0, room);
      if (data.length > 0) kept[event.type].push(data);
      room -= data.length;
      overLimitBytes += event.data.length - data.length;
    } else if (event.type === "dropped") {
      droppedByMachineBytes += Number(event.bytes);
    } else if (event.type === "ended") {
      const { type: _, ...rest } = event;
      end = rest;
    }
  }
  if (end === undefined) throw new TypeError("the events of a job ended without its end");
  const stdoutBytes = Buffer.concat(kept.stdout);
  const stderrBytes = Buffer.concat(kept.stderr);
  const whole = overLimitBytes === 0 && droppedByMachineBytes === 0;
  return {
    ...end,
    stdout: stdoutBytes.toString("utf8"),
    stderr: stderrBytes.toString("utf8"),
    stdoutBytes,
    stderrBytes,
    truncated: whole ? false : { overLimitBytes, droppedByMachineBytes },
  };
}
