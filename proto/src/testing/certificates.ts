import { type webcrypto, X509Certificate } from "node:crypto";
import {
  BasicConstraintsExtension,
  type X509Certificate as Certificate,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { relayIdOf } from "../credentials/relay-id.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate authority as a relay makes its own, and the relay id that pins it. */
export interface TestAuthority {
  readonly certificate: Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly relayId: string;
}

/** What `tls.createServer` wants: the leaf with its CA behind it, and the leaf's key. */
export interface TestLeaf {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed CA. */
export async function testAuthority(name = "CN=cmdop test CA"): Promise<TestAuthority> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate, keys, relayId: relayIdOf(new X509Certificate(certificate.toString("pem"))) };
}

/** A leaf for localhost. `chain`: the CA that is shown with it, the issuing one unless a test lies. */
export async function testLeaf(
  authority: TestAuthority,
  options: { chain?: TestAuthority | null; notBefore?: Date; notAfter?: Date } = {},
): Promise<TestLeaf> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const leaf = await X509CertificateGenerator.create({
    subject: "CN=relay",
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    notBefore: options.notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: options.notAfter ?? new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
    ],
  });
  const chain = options.chain === undefined ? authority : options.chain;
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    cert: [leaf, ...(chain === null ? [] : [chain.certificate])].map((one) => one.toString("pem")).join("\n"),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  };
}
