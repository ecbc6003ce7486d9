import { printable } from "@cmdop/proto";
import { failed } from "./failure.ts";

/** HTTP statuses of a redirect. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Names and addresses of this machine itself. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

const NEXT =
  "Set the model's own address: CMDOP_MODEL_BASE_URL, or baseUrl in model.json. What an agent reads goes to its model, and its key with it.";

/** True if nobody on the way can read the traffic: https, or plain http within this machine. */
export function goesUnread(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname));
}

/**
 * The `fetch` of all providers: never unencrypted to another machine, and only to the configured address.
 * Redirects are refused, because the answering server could otherwise choose who receives the conversation.
 * @throws CmdopError ModelFailed, and the errors of fetch
 */
export const modelFetch: typeof fetch = async (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (!goesUnread(url)) {
    throw failed(`The model's address is plain http to another machine (${url.origin}).`, { next: NEXT });
  }
  const response = await fetch(input, { ...init, redirect: "manual" });
  if (!REDIRECTS.has(response.status)) return response;
  await response.body?.cancel();
  const location = response.headers.get("location") ?? "";
  const target = URL.canParse(location, url.href) ? new URL(location, url).origin : "nowhere";
  throw failed(
    `The model's provider (${url.origin}) sends its callers to ${printable(target)}, which is not followed.`,
    {
      next: NEXT,
    },
  );
};
