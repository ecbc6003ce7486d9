import type { Files, ServiceClient } from "@cmdop/proto";
import type { MachineCaller } from "../../connection/caller.ts";
import type { LinkWatch } from "./link-watch.ts";

/** A machine to transfer from or to. */
export interface Machine {
  readonly files: ServiceClient<typeof Files>;
  readonly caller: MachineCaller;
  readonly link: LinkWatch;
}
