import { codec, Exec } from "@cmdop/proto";

/** The path of Exec.Start on the wire. */
export const START = "/cmdop.v1.Exec/Start";

/** A Start request as bytes, for callers that speak raw HTTP/2. */
export function startMessage(jobId: string, shell: string): Uint8Array {
  return codec(Exec.method.start.input).serialize({ jobId, command: { case: "shell", value: shell } });
}
