import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { relayIdOf } from "../credentials/relay-id.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate authority as a relay makes its own, and the relay id that pins it. */
export interface TestAuthority {
  readonly name: string;
  readonly pem: string;
  readonly privateKey: KeyObject;
  readonly relayId: string;
}

/** What `tls.createServer` wants: the leaf with what is shown behind it, and the leaf's key. */
export interface TestLeaf {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed CA. */
export function testAuthority(name = "cmdop test CA"): TestAuthority {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = certificate({ subject: name, issuer: name, publicKey, signer: privateKey, isAuthority: true });
  return { name, pem, privateKey, relayId: relayIdOf(new X509Certificate(pem)) };
}

/** A leaf for localhost. `shown`: the CA that is sent with it, the issuing one unless a test lies; null for none. */
export function testLeaf(
  authority: TestAuthority,
  options: { shown?: TestAuthority | null; notBefore?: Date; notAfter?: Date } = {},
): TestLeaf {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = certificate({
    subject: "localhost",
    issuer: authority.name,
    publicKey,
    signer: authority.privateKey,
    isAuthority: false,
    ...options,
  });
  const shown = options.shown === undefined ? authority : options.shown;
  return {
    cert: pem + (shown?.pem ?? ""),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

interface CertificateFields {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly isAuthority: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** An X.509 v3 certificate (RFC 5280), written out in DER. */
function certificate(fields: CertificateFields): string {
  const algorithm = sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const notBefore = fields.notBefore ?? new Date(Date.now() - DAY_MS);
  const notAfter = fields.notAfter ?? new Date(Date.now() + DAY_MS);
  const basicConstraints = sequence(fields.isAuthority ? der(0x01, Buffer.of(0xff)) : Buffer.alloc(0));
  const dnsName = der(0x82, Buffer.from("localhost"));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])), // serial number
    algorithm,
    distinguishedName(fields.issuer),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(fields.subject),
    fields.publicKey.export({ type: "spki", format: "der" }),
    der(
      0xa3,
      sequence(
        sequence(oid("551d13"), der(0x01, Buffer.of(0xff)), der(0x04, basicConstraints)),
        sequence(oid("551d11"), der(0x04, sequence(dnsName))), // subjectAltName
      ),
    ),
  );
  const signature = der(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, fields.signer)]));
  const lines =
    sequence(body, algorithm, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const header = length < 128 ? Buffer.of(tag, length) : Buffer.of(tag, 0x82, length >> 8, length & 255);
  return Buffer.concat([header, content]);
}

function sequence(...items: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(items));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function distinguishedName(commonName: string): Buffer {
  const attribute = sequence(oid("550403"), der(0x0c, Buffer.from(commonName)));
  return sequence(der(0x31, attribute));
}

/** GeneralizedTime, to the second. */
function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));
}
