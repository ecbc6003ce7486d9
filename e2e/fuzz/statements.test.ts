import {
  CmdopError,
  callTokenKeyId,
  type ErrorCode,
  generateKeyPair,
  type KeyPair,
  openJoinToken,
  type PublicKey,
  signCallToken,
  signGrant,
  signJoinToken,
  signMachineRecord,
  signRoster,
  thumbprint,
  verifyCallToken,
  verifyGrant,
  verifyJoinToken,
  verifyMachineRecord,
  verifyRoster,
} from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { fuzz, fuzzing } from "../support/fuzz.ts";
import { forgeries, misspoken } from "../support/statement-mutations.ts";

const NOW_S = 1_795_305_600;
const relay = { id: generateKeyPair().id, address: "relay.example:7443" };
const owner = generateKeyPair();
const caller = generateKeyPair();
const stranger = generateKeyPair();
const machine = generateKeyPair();
const owners: readonly PublicKey[] = [owner.publicKey];

/** A kind of statement: valid ones, and the verifiers that it meets. */
interface Kind {
  readonly signer: KeyPair;
  readonly refusal: ErrorCode;
  readonly signed: readonly string[];
  readonly verify: (statement: string) => Promise<unknown>;
}

const grant = { key: caller.publicKey, name: "bot", iat: NOW_S, not_after: NOW_S + 60 };
const joinToken = {
  jti: crypto.randomUUID(),
  owner: owner.publicKey,
  relay,
  name: "web-1",
  labels: { team: "web" },
  uses: 1,
  iat: NOW_S,
  exp: NOW_S + 60,
};
const keyOfCaller = (id: string): PublicKey | undefined =>
  id === thumbprint(caller.publicKey) ? caller.publicKey : undefined;

const KINDS: Readonly<Record<string, Kind>> = {
  "call token": {
    signer: caller,
    refusal: "Unauthenticated",
    signed: await Promise.all([
      signCallToken({ relayId: relay.id, machine: "web-1" }, caller, NOW_S),
      signCallToken({ relayId: relay.id, machine: null }, caller, NOW_S),
    ]),
    // Relay and agent read the key's id first, and look for the key by it.
    verify: async (statement) => {
      callTokenKeyId(statement);
      return verifyCallToken(statement, keyOfCaller);
    },
  },
  grant: {
    signer: owner,
    refusal: "GrantRefused",
    signed: await Promise.all([
      signGrant({ ...grant, scopes: ["terminal"], machines: [{ name: "web-*" }] }, owner),
      signGrant(
        { ...grant, scopes: ["files:read"], machines: [{ labels: { a: "b" } }], paths: ["/srv"] },
        owner,
      ),
    ]),
    verify: (statement) => verifyGrant(statement, owners),
  },
  roster: {
    signer: owner,
    refusal: "GrantRefused",
    signed: await Promise.all([
      signRoster({ seq: 1, iat: NOW_S, owners: [owner.publicKey], relays: [], revoked: [] }, owner),
      signRoster({ seq: 2, iat: NOW_S, owners: [owner.publicKey], relays: [], revoked: [caller.id] }, owner),
    ]),
    verify: (statement) => verifyRoster(statement, owners),
  },
  "machine record": {
    signer: owner,
    refusal: "LinkRefused",
    signed: [
      await signMachineRecord({ id: machine.id, name: "web-1", labels: { team: "web" }, seq: 1 }, owner),
    ],
    verify: (statement) => verifyMachineRecord(statement, owners),
  },
  "join token, at the relay": {
    signer: owner,
    refusal: "LinkRefused",
    signed: [await signJoinToken(joinToken, owner)],
    verify: (statement) => verifyJoinToken(statement, owners),
  },
};
const everything = Object.values(KINDS).flatMap(({ signed }) => signed);

/** `accepted`, or the code that it is refused with; anything but a refusal of ours is a crash. */
async function verdict(kind: Kind, statement: string): Promise<string> {
  try {
    await kind.verify(statement);
    return "accepted";
  } catch (thrown) {
    if (thrown instanceof CmdopError) return thrown.code;
    throw thrown;
  }
}

describe.each(Object.entries(KINDS))("fuzz: %s", (_name, kind) => {
  const forged = fuzzing(0.07);
  it(`promise 5: what is accepted is byte for byte what was signed (${forged.title})`, {
    timeout: forged.timeout,
  }, async () => {
    for (const statement of kind.signed) {
      expect(await verdict(kind, statement)).toBe("accepted");
      const inputs = forgeries(statement, everything, kind.signer, stranger);
      await fuzz(Math.ceil(forged.cases / kind.signed.length), inputs, async (mutation) => {
        const expected = kind.signed.includes(mutation.statement) ? "accepted" : kind.refusal;
        expect(await verdict(kind, mutation.statement), mutation.name).toBe(expected);
      });
    }
  });

  const odd = fuzzing(0.03);
  it(`promise 5: not even its signer can say more than the form has room for (${odd.title})`, {
    timeout: odd.timeout,
  }, async () => {
    for (const statement of kind.signed) {
      const typ: unknown = headerOf(statement).typ;
      await fuzz(
        Math.ceil(odd.cases / kind.signed.length),
        misspoken(statement, kind.signer),
        async (mutation) => {
          const found = await verdict(kind, mutation.statement);
          if (found !== "accepted") {
            expect(found).toBe(kind.refusal);
            return;
          }
          expect(headerOf(mutation.statement)).toEqual({ alg: "EdDSA", typ, kid: kind.signer.id });
          const names = Object.keys(claimsOf(mutation.statement));
          const known = [...Object.keys(claimsOf(statement)), "paths", "jobs"];
          expect(known).toEqual(expect.arrayContaining(names));
        },
      );
    }
  });
});

const target = fuzzing(0.02);
it(`promise 5: a join token opens on the machine only as it was signed (${target.title})`, {
  timeout: target.timeout,
}, async () => {
  const [statement = ""] = KINDS["join token, at the relay"]?.signed ?? [];
  const opening: Kind = { signer: owner, refusal: "LinkRefused", signed: [statement], verify: openJoinToken };
  expect(await verdict(opening, statement)).toBe("accepted");
  await fuzz(target.cases, forgeries(statement, everything, owner, stranger), async (mutation) => {
    const found = await verdict(opening, mutation.statement);
    // Whoever pastes a token trusts the owner that it names; so a stranger's own token opens, as the stranger's.
    if (found === "accepted" && mutation.statement !== statement) {
      expect(claimsOf(mutation.statement).owner).toBe(stranger.publicKey);
    } else expect(found).toBe(mutation.statement === statement ? "accepted" : "LinkRefused");
  });
});

function headerOf(statement: string): Record<string, unknown> {
  return objectIn(statement.split(".")[0] ?? "");
}

function claimsOf(statement: string): Record<string, unknown> {
  return objectIn(statement.split(".")[1] ?? "");
}

function objectIn(part: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(Buffer.from(part, "base64url")));
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
}
