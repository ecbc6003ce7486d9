import type { Metrics } from "@cmdop/proto";
import type { Recorder } from "./recorder.ts";

/** A recorder whose calls are counted, too. */
export function measured(recorder: Recorder, metrics: Pick<Metrics, "begin">): Recorder {
  return {
    begin(call) {
      const record = recorder.begin(call);
      const end = metrics.begin(call.method);
      return {
        id: record.id,
        end(ending) {
          end(ending.code, { in: ending.bytesIn, out: ending.bytesOut });
          record.end(ending);
        },
      };
    },
    refused(call) {
      metrics.begin(call.method)(call.code);
      recorder.refused(call);
    },
  };
}
