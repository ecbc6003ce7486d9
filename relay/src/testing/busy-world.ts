import { all, refusal, World } from "./world.ts";

/**
 * A relay with callers that never stop, in a process of its own, to be killed:
 * calls that end at once, and one that hangs. Says its state directory when it is up.
 */
const world = await World.start();
await world.agent("web-1");
const caller = world.caller(await world.key());
const headers = await caller.headers("web-1");
const hanging = refusal(all(caller.jobs.attach({ jobId: crypto.randomUUID() }, { headers })));
process.stdout.write(`${world.stateDir}\n`);
const busy = async (): Promise<void> => {
  for (;;) await caller.files.info({ path: "/" }, { headers });
};
await Promise.all([hanging, ...Array.from({ length: 16 }, busy)]);
