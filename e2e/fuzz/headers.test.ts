import type { OutgoingHttpHeaders } from "node:http2";
import { codec, generateKeyPair, HEADERS, Keys, Machine, SCOPES } from "@cmdop/proto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fuzz, fuzzing } from "../support/fuzz.ts";
import { RawCaller } from "../support/raw-call.ts";
import { forgeries } from "../support/statement-mutations.ts";
import { type GrantedKey, nowS, TrustWorld } from "../support/trust-world.ts";

const INFO = "/cmdop.v1.Machine/Info";
const WHO_AM_I = "/cmdop.relay.v1.Keys/WhoAmI";
/** What the key may do: an answer that says more is a wrong yes. */
const SCOPE = "machines:read";

let world: TrustWorld;
let key: GrantedKey;
let wider: GrantedKey;
let caller: RawCaller;
let machineId: string;

beforeAll(async () => {
  world = await TrustWorld.start();
  machineId = (await world.addMachine("web-1")).identity.id;
  key = await world.createKey({ scopes: [SCOPE], not_after: nowS() + 86_400 });
  wider = await world.createKey({ scopes: [...SCOPES], not_after: nowS() + 86_400 });
  caller = await RawCaller.connect(world.address);
});
afterAll(async () => {
  await caller[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Whether the call got through as itself; throws where it got more than it may. */
async function getsThrough(method: string, headers: OutgoingHttpHeaders): Promise<boolean> {
  // Headers far over the limit may cost their caller its connection, and nobody else anything.
  if (caller.session.destroyed || caller.session.closed) caller = await RawCaller.connect(world.address);
  const { trailers, message } = await caller.ask(method, headers);
  if (trailers["grpc-status"] !== "0") return false;
  if (message === undefined) throw new Error("OK without an answer");
  if (method === INFO) {
    expect(codec(Machine.method.info.output).deserialize(message)).toMatchObject({
      id: machineId,
      scopes: [SCOPE],
    });
  } else {
    expect(codec(Keys.method.whoAmI.output).deserialize(message)).toMatchObject({
      keyId: key.key.id,
      scopes: [SCOPE],
      owner: false,
    });
  }
  return true;
}

const target = fuzzing(0.2);
it(`promise 5: whatever headers come, nobody is taken for another (${target.title})`, {
  timeout: target.timeout,
}, async () => {
  const stranger = generateKeyPair();
  const good = async (machine: string | null): Promise<string> =>
    `Bearer ${await world.token({ key: key.key, machine })}`;
  let valid = { [INFO]: await good("web-1"), [WHO_AM_I]: await good(null) };
  let signedAtS = nowS();
  const [, token = ""] = valid[INFO].split(" ");

  const text = fc.oneof(
    { weight: 9, arbitrary: fc.string({ maxLength: 60 }) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  );
  const authorization = fc.oneof(
    { weight: 4, arbitrary: fc.constant("valid") },
    forgeries(token, [token, key.grant, wider.grant], key.key, stranger).map(
      ({ statement }) => `Bearer ${statement}`,
    ),
    fc.constantFrom(
      "",
      "Bearer",
      "Bearer ",
      "Basic dXNlcjpwYXNz",
      `Bearer ${wider.grant}`,
      `bearer  ${token}`,
      `Bearer ${token}, Bearer ${token}`,
      `Bearer ${token} ${token}`,
    ),
    text,
  );
  const machine = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("web-1", machineId) },
    fc.constantFrom("", "web-2", "web-1,web-1", "WEB-1", "__proto__", "constructor", "*"),
    text,
  );
  const name = fc.oneof(
    // What only the relay may say.
    { weight: 2, arbitrary: fc.constantFrom(HEADERS.caller, HEADERS.grant, HEADERS.call) },
    fc.constantFrom(
      ...Object.values(HEADERS).filter(
        (each) => ![HEADERS.authorization, HEADERS.machine].some((own) => own === each),
      ),
      "x-cmdop-owner",
      "x-cmdop-scopes",
      "grpc-timeout",
      "grpc-encoding",
      "grpc-accept-encoding",
      "content-length",
      "content-type",
      "te",
      "host",
      "cookie",
      "user-agent",
      "x-forwarded-for",
      "__proto__",
      "constructor",
    ),
    fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
  );
  const value = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(world.owner.id, wider.key.id, wider.grant) },
    fc.constantFrom(world.owner.id, wider.grant, wider.key.id, "0", "1n", "gzip", "-1"),
    text,
  );
  const long = fc.nat(40_000).map((length) => "a".repeat(length));
  const inputs = fc.record({
    method: fc.constantFrom<typeof INFO | typeof WHO_AM_I>(INFO, WHO_AM_I),
    authorization,
    machine,
    others: fc.array(
      fc.tuple(
        name,
        fc.oneof(
          { weight: 20, arbitrary: value },
          { weight: 5, arbitrary: fc.array(value, { maxLength: 3 }) },
          { weight: 1, arbitrary: long },
        ),
      ),
      { maxLength: 4 },
    ),
  });

  let sent = 0;
  let through = 0;
  await fuzz(target.cases, inputs, async (input) => {
    if (nowS() - signedAtS > 30) {
      signedAtS = nowS();
      valid = { [INFO]: await good("web-1"), [WHO_AM_I]: await good(null) };
    }
    const shown = input.authorization === "valid" ? valid[input.method] : input.authorization;
    const headers: OutgoingHttpHeaders = {};
    for (const [name, content] of input.others) headers[name] = content;
    headers[HEADERS.authorization] = shown;
    headers[HEADERS.machine] = input.machine;
    let yes: boolean;
    try {
      yes = await getsThrough(input.method, headers);
    } catch (thrown) {
      // What Node itself does not send: forbidden characters, headers of one connection.
      if (!(thrown instanceof TypeError && "code" in thrown)) throw thrown;
      return;
    }
    sent += 1;
    if (!yes) return;
    through += 1;
    // HTTP takes spaces around a value away, and the scheme's case does not count.
    expect(shown.trim().replace(/^bearer\s/i, "Bearer ")).toBe(valid[input.method]);
    if (input.method === INFO) expect(["web-1", machineId]).toContain(input.machine.trim());
  });
  // Most cases arrive, and some are good: otherwise this test would prove nothing.
  expect(sent).toBeGreaterThan(target.cases / 2);
  expect(through).toBeGreaterThan(target.cases / 50);
  // And a good one still gets through.
  valid = { [INFO]: await good("web-1"), [WHO_AM_I]: await good(null) };
  const plain = { [HEADERS.authorization]: valid[INFO], [HEADERS.machine]: "web-1" };
  expect(await getsThrough(INFO, plain)).toBe(true);
});

const paths = fuzzing(0.04);
it(`promise 5: whatever method is named, only those of the table are answered (${paths.title})`, {
  timeout: paths.timeout,
}, async () => {
  const words = fc.constantFrom(
    "cmdop.v1.Link",
    "cmdop.v1.Exec",
    "cmdop.v1.Machine",
    "cmdop.relay.v1.Roster",
    "Hello",
    "Welcome",
    "Info",
    "Start",
    "Put",
    "..",
    ".",
    "",
    "%2e%2e",
    "__proto__",
    "toString",
    "cmdop.v1.Machine.Info",
    "INFO",
  );
  const named = fc.oneof(
    fc.array(words, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`),
    fc.constantFrom(`${INFO}/`, `/${INFO}`, `${INFO}?`, `${INFO}#`, `${INFO}%00`, INFO.toLowerCase(), "*"),
    fc.webPath(),
  );
  const granted = await world.createKey({ scopes: [...SCOPES] });
  await fuzz(paths.cases, named, async (method) => {
    const headers = await world.headers({ key: granted.key, machine: "web-1" });
    const trailers = await caller.call(method, headers);
    if (trailers["grpc-status"] === "0") expect([INFO, "/cmdop.v1.Exec/Start"]).toContain(method);
  });
});
