/**
 * A caller that opens many streams, says so, and waits to be killed: the process
 * that a test lets die. argv: relay address, machine, call token, job id, streams.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { HEADERS } from "@cmdop/proto";
import { RawCaller } from "./raw-call.ts";
import { START, startMessage } from "./start-message.ts";

const [address = "", machine = "", token = "", jobId = "", count = "0"] = process.argv.slice(2);
const caller = await RawCaller.connect(address);
const headers = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: machine };
const streams = Array.from({ length: Number(count) }, () =>
  caller.open(START, headers, startMessage(jobId, "sleep 62.1")),
);
await Promise.all(
  streams.map((stream) => {
    stream.on("error", () => undefined);
    return once(stream, "response");
  }),
);
process.stdout.write("open\n");
await sleep(60_000);
