import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { CmdopError } from "@cmdop/proto";

/** A call that runs on an upstream, as the upstream sees it. */
export interface UpstreamCall {
  /** The upstream is gone and will say nothing more, not even that. */
  fail(error: CmdopError): void;
}

/** Whatever answers calls: a machine's link, or the relay's own services. */
export interface Upstream {
  /** Begins a call; the signal cancels it. Throws MachineOffline when the upstream takes no more. */
  open(headers: OutgoingHttpHeaders, signal: AbortSignal): ClientHttp2Stream;
  /** Ties a call to the upstream's life; call what it returns when the call is over. */
  carry(call: UpstreamCall): () => void;
  /** Why streams that end without a word did so: the upstream's death, or undefined while it lives. */
  lost(): CmdopError | undefined;
}
