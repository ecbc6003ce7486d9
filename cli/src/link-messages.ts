export const LINK_LOST = "cmdop: the link is lost, reconnecting";
export const LINK_BACK = "cmdop: the link is back";

/** Says on stderr when the link is lost and when it is back, where there is no screen to keep whole. */
export function linkMessages(): (state: "lost" | "back") => void {
  return (state) => process.stderr.write(`${state === "lost" ? LINK_LOST : LINK_BACK}\n`);
}
