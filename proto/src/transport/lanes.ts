import type { Http2Session } from "node:http2";

/** The two connections of a link, and of a caller: see DESIGN "Links, lanes, windows". */
export type LaneName = "interactive" | "bulk";

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * HTTP/2 flow-control windows of each lane, in bytes. Interactive ones are small
 * enough that nothing queues long before a keystroke and that both directions
 * can be full at once without stopping Node (HTTP/2 defect A); bulk ones fill a
 * line of 1 Gbit/s at 100 ms, and need a DrainingDuplex at one end of each leg.
 */
export const LANE_WINDOWS: Readonly<Record<LaneName, { readonly stream: number; readonly session: number }>> =
  {
    interactive: { stream: 256 * KiB, session: 512 * KiB },
    bulk: { stream: 8 * MiB, session: 16 * MiB },
  };

/** Gives a live session the windows of its lane; to be called once it is connected. */
export function applyWindows(session: Http2Session, lane: LaneName): void {
  const windows = LANE_WINDOWS[lane];
  session.settings({ initialWindowSize: windows.stream });
  session.setLocalWindowSize(windows.session);
}
