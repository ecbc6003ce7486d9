/**
 * A command that takes long: look after it for a moment, go away, and come
 * back for the rest. The second half could be another program on another day,
 * as long as the machine keeps the output.
 *
 *   node examples/come-back-later.ts
 */
import { CMDOPClient, describeEnd } from "@cmdop/sdk";

/** Starts a long command, leaves it after `waitMs`, and returns what there is to know later. */
export async function leave(
  server: CMDOPClient,
  command: string,
  waitMs: number,
): Promise<{ jobId: string; after: number; soFar: string }> {
  const started = await server.terminal.execute(command, { waitMs });
  if (started.status === "done") throw new Error(`it took no time at all: it ${describeEnd(started)}`);
  return { jobId: started.jobId, after: started.after, soFar: started.stdout };
}

/** Comes back for what the command wrote after `after`, and for its end. */
export async function comeBack(server: CMDOPClient, jobId: string, after: number): Promise<string> {
  const result = await server.terminal.resume(jobId, { after });
  return `${result.stdout}The command ${describeEnd(result)}.`;
}

if (import.meta.main) {
  await using server = CMDOPClient.fromProfile();
  const { jobId, after, soFar } = await leave(
    server,
    "for i in 1 2 3 4 5; do echo step $i; sleep 1; done",
    1_500,
  );
  console.log(`${soFar}… job ${jobId} goes on by itself.`);
  console.log(await comeBack(server, jobId, after));
}
