import type { Http2Session } from "node:http2";
import { fitWindow } from "./fit-window.ts";

/** The connections of a link, and of a caller: see DESIGN "Links, lanes, windows". Content goes one way on each of the last two. */
export const LANES = ["interactive", "download", "upload"] as const;
export type LaneName = (typeof LANES)[number];

/** HTTP/2 flow-control windows, in bytes: of each stream, and of all streams of a connection together. */
export interface Windows {
  readonly stream: number;
  readonly session: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** So little that nothing queues long before a keystroke, and that the kernel's buffers take it. */
const SMALL: Windows = { stream: 256 * KiB, session: 512 * KiB };

/** For long lines, and less on shorter ones (`fitWindow`): half of it fills 1 Gbit/s at 100 ms, since a receiver grants more when half is used up. */
const LARGE: Windows = { stream: 24 * MiB, session: 48 * MiB };

/**
 * What each lane may have under way towards the caller and towards the machine.
 * Never much both ways on one connection: Node's HTTP/2 stops reading while it
 * waits to write, and two peers with more under way than the kernel takes would
 * wait for each other for ever (docs/decisions/0018).
 */
export const LANE_WINDOWS: Readonly<
  Record<LaneName, { readonly toCaller: Windows; readonly toMachine: Windows }>
> = {
  interactive: { toCaller: SMALL, toMachine: SMALL },
  download: { toCaller: LARGE, toMachine: SMALL },
  upload: { toCaller: SMALL, toMachine: LARGE },
};

/** Gives a live session windows of its own; to be called once it is connected. */
export function applyWindows(session: Http2Session, windows: Windows): void {
  session.settings({ initialWindowSize: windows.stream });
  session.setLocalWindowSize(windows.session);
  fitWindow(session, windows);
}
