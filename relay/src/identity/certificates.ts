import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import * as der from "./der.ts";

/** A certificate with the private key that belongs to it. */
export interface Credential {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** Length of a serial number, in bytes: random, and long enough to be unique. */
const SERIAL_BYTES = 16;

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

const SIGNATURE_ALGORITHM = der.sequence(der.oid(OID.ecdsaWithSha256));

/** Makes a self-signed CA that can issue leaves and nothing else. */
export function createCa(commonName: string, notBefore: Date, notAfter: Date): Credential {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const certificate = certify({
    issuer: { commonName, privateKey },
    subject: { commonName, publicKey: createPublicKey(privateKey) },
    notBefore,
    notAfter,
    extensions: [
      extension(OID.basicConstraints, der.sequence(der.yes(), der.integer(Buffer.of(0))), "critical"),
      extension(OID.keyUsage, KEY_CERT_SIGN, "critical"),
    ],
  });
  return { certificate, privateKey };
}

/** Makes a server's certificate for the hosts, which are names or IP addresses. */
export function createLeaf(
  ca: Credential,
  commonName: string,
  hosts: readonly string[],
  notBefore: Date,
  notAfter: Date,
): Credential {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const certificate = certify({
    issuer: { commonName: commonNameOf(ca.certificate), privateKey: ca.privateKey },
    subject: { commonName, publicKey: createPublicKey(privateKey) },
    notBefore,
    notAfter,
    extensions: [
      extension(OID.basicConstraints, der.sequence(), "critical"),
      extension(OID.keyUsage, DIGITAL_SIGNATURE, "critical"),
      extension(OID.extendedKeyUsage, der.sequence(der.oid(OID.serverAuth))),
      extension(OID.subjectAltName, der.sequence(...hosts.map(generalName))),
    ],
  });
  return { certificate, privateKey };
}

/** digitalSignature is the first bit of KeyUsage, keyCertSign the sixth (RFC 5280, 4.2.1.3). */
const DIGITAL_SIGNATURE = der.bitString(Buffer.of(0b1000_0000), 7);
const KEY_CERT_SIGN = der.bitString(Buffer.of(0b0000_0100), 2);

interface Certification {
  readonly issuer: { readonly commonName: string; readonly privateKey: KeyObject };
  readonly subject: { readonly commonName: string; readonly publicKey: KeyObject };
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

function certify({ issuer, subject, notBefore, notAfter, extensions }: Certification): X509Certificate {
  const keyIds = [
    extension(OID.subjectKeyId, der.octetString(keyIdOf(subject.publicKey))),
    extension(
      OID.authorityKeyId,
      der.sequence(der.tagged(0x80, keyIdOf(createPublicKey(issuer.privateKey)))),
    ),
  ];
  const toBeSigned = der.sequence(
    der.tagged(0xa0, der.integer(Buffer.of(2))),
    der.integer(randomBytes(SERIAL_BYTES)),
    SIGNATURE_ALGORITHM,
    name(issuer.commonName),
    der.sequence(der.time(notBefore), der.time(notAfter)),
    name(subject.commonName),
    spkiOf(subject.publicKey),
    der.tagged(0xa3, der.sequence(...extensions, ...keyIds)),
  );
  const signature = sign("sha256", toBeSigned, { key: issuer.privateKey, dsaEncoding: "der" });
  return new X509Certificate(der.sequence(toBeSigned, SIGNATURE_ALGORITHM, der.bitString(signature)));
}

function name(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(OID.commonName), der.utf8String(commonName))));
}

function commonNameOf(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, "");
}

function extension(id: string, value: Buffer, critical?: "critical"): Buffer {
  return der.sequence(der.oid(id), ...(critical === undefined ? [] : [der.yes()]), der.octetString(value));
}

/** Encodes a host for subjectAltName: dNSName is [2], iPAddress is [7]. */
function generalName(host: string): Buffer {
  return isIP(host) === 0 ? der.tagged(0x82, Buffer.from(host)) : der.tagged(0x87, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes every IPv6 address as groups of hex with one :: at most, dotted tails included.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash("sha1").update(spkiOf(key)).digest();
}
