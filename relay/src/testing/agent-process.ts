import { keyPairOf, LANES } from "@cmdop/proto";
import { z } from "zod";
import { dialAgent } from "./fake-agent.ts";

/** A fake agent in a process of its own, to be stopped and killed: node agent-process.ts '{"relay":…,"seed":…,"joinToken":…}'. */
const settings = z.object({
  relay: z.object({ id: z.string(), address: z.string() }),
  seed: z.string(),
  joinToken: z.string(),
  lane: z.enum(LANES),
  bootId: z.string(),
});

const { seed, ...options } = settings.parse(JSON.parse(process.argv[2] ?? ""));
await dialAgent({ ...options, machineKey: keyPairOf(Buffer.from(seed, "base64url")) });
