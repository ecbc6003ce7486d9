import type { Readable, Writable } from "node:stream";
import { onAbort, within } from "@cmdop/kit";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { type AdapterOptions, createAdapter } from "./adapter.ts";
import { MAX_REPORT_CHARS, SHUTDOWN_GRACE_MS } from "./limits.ts";

export interface ServeMcpStdioOptions extends Omit<AdapterOptions, "report"> {
  /** Default process.stdin. */
  readonly stdin?: Readable | undefined;
  /** Default process.stdout. Nothing else may write to it. */
  readonly stdout?: Writable | undefined;
  /** Ends the server; jobs that its calls began go on. */
  readonly signal?: AbortSignal | undefined;
  /** Where failures go that no answer can carry; default one line on stderr each. */
  readonly report?: ((error: unknown) => void) | undefined;
}

/**
 * Serves the tools to the one MCP client on stdin and stdout. Resolves when the
 * client has gone or the signal aborts, and every call has ended or had
 * SHUTDOWN_GRACE_MS to; leaves nothing open. The client given stays the caller's to close.
 */
export async function serveMcpStdio({
  stdin = process.stdin,
  stdout = process.stdout,
  signal,
  report = reportToStderr,
  ...options
}: ServeMcpStdioOptions): Promise<void> {
  const adapter = createAdapter({ ...options, report });
  const transport = new StdioServerTransport(stdin, stdout);
  const connection = serveStdio(adapter.build, { transport, onerror: report });
  const closed = Promise.withResolvers<void>();
  const tearDown = transport.onclose;
  transport.onclose = () => {
    tearDown?.();
    closed.resolve();
  };
  const stopListening = onAbort(signal, () => void connection.close().catch(report));
  await closed.promise;
  stopListening();
  await within(adapter.settled(), SHUTDOWN_GRACE_MS);
}

function reportToStderr(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`cmdop mcp: ${message.replaceAll(/\s+/g, " ").slice(0, MAX_REPORT_CHARS)}\n`);
}
