import { createHmac, timingSafeEqual } from "node:crypto";
import { bytes32Schema, labelsSchema, type MachineIdentity, nameSchema, parseStrictJson } from "@cmdop/proto";
import { z } from "zod";

/** Keeps receipts apart from anything else made with the same secret. */
const PURPOSE = "cmdop machine receipt v1";

/** Longest receipt that is read, in characters: a name, the most labels, and the mark of this relay. */
const MAX_RECEIPT_CHARACTERS = 16 * 1024;

const receiptSchema = z.strictObject({ id: bytes32Schema, name: nameSchema, labels: labelsSchema });

/**
 * The relay's receipts, kept by the machines, that they have joined. With its receipt a relay whose store is
 * lost, or older than the machine, takes the machine back. Only this relay can make one, and the machine must
 * prove its key as well.
 */
export class Receipts {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  issue({ id, name, labels }: MachineIdentity): string {
    const body = Buffer.from(JSON.stringify({ id, name, labels })).toString("base64url");
    return `${body}.${this.#markOf(body).toString("base64url")}`;
  }

  /** Returns the machine's identity from its receipt; undefined for anything else. */
  read(receipt: string, machineId: string): MachineIdentity | undefined {
    if (receipt.length > MAX_RECEIPT_CHARACTERS) return undefined;
    const [body = "", mark = "", ...more] = receipt.split(".");
    const shown = Buffer.from(mark, "base64url");
    const made = this.#markOf(body);
    if (more.length > 0 || shown.length !== made.length || !timingSafeEqual(shown, made)) return undefined;
    const claims = receiptSchema.safeParse(parseStrictJson(Buffer.from(body, "base64url").toString()));
    return claims.success && claims.data.id === machineId ? claims.data : undefined;
  }

  #markOf(body: string): Buffer {
    return createHmac("sha256", this.#secret).update(`${PURPOSE}\0${body}`).digest();
  }
}
