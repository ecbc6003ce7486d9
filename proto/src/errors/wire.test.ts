import type { ServiceError } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Machine } from "../gen/cmdop/v1/machine_pb.ts";
import { MAX_FRONT_HEADER_BYTES, MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { createClient } from "../rpc/client.ts";
import { http2Loopback } from "../testing/grpc-loopback.ts";
import { CmdopError } from "./cmdop-error.ts";
import { CODE_OF_BARE_STATUS, ERROR_TABLE, isErrorCode } from "./table.ts";
import { errorTrailers, fromServiceError, toStatus } from "./wire.ts";

/** Texts that have broken header blocks before. */
const HOSTILE_TEXTS = [
  "path /a/b?c=d&e#f, 100 % + more: done; @home $5",
  "two\nlines\r\nand a tab\t",
  "NUL \0 and DEL \x7f",
  "Ünïcödé, 日本語, 🚀",
  "half a surrogate \ud83d here",
  "%zz %2F %",
  "",
];

describe("errorTrailers, read by a grpc-js client", () => {
  const receivedFor = async (error: CmdopError): Promise<CmdopError> => {
    await using server = await http2Loopback((stream) => {
      const headers = { ":status": 200, "content-type": "application/grpc", ...errorTrailers(error) };
      stream.respond(headers, { endStream: true });
    });
    const answer = createClient(Machine, () => server.channel).info({});
    return CmdopError.from(await answer.catch((thrown: unknown) => thrown));
  };

  it.each(HOSTILE_TEXTS)("%j arrives as it was sent", async (text) => {
    const received = await receivedFor(new CmdopError("MachineOffline", text, { next: text }));
    expect(received).toMatchObject({
      code: "MachineOffline",
      message: text.toWellFormed(),
      next: text.toWellFormed(),
    });
  });

  it("a text of 12 KB arrives cut to its bound", async () => {
    const text = "🚀".repeat(3_000);
    const received = await receivedFor(new CmdopError("MachineOffline", text, { next: text }));
    for (const cut of [received.message, received.next]) {
      expect(cut.endsWith("…")).toBe(true);
      expect(text.startsWith(cut.replace(/\ufffd*…$/, ""))).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(MAX_STATUS_MESSAGE_BYTES + 6);
    }
  });

  it("fit a header block, whatever the error says (fuzz)", () => {
    const texts = fc.string({ unit: "binary", maxLength: 5_000 });
    fc.assert(
      fc.property(texts, texts, (message, next) => {
        const trailers = errorTrailers(new CmdopError("Internal", message, { next }));
        let bytes = 0;
        for (const [name, value] of Object.entries(trailers)) {
          expect(value).toMatch(/^[ -~]*$/);
          bytes += name.length + value.length + 32;
        }
        expect(bytes).toBeLessThan(MAX_FRONT_HEADER_BYTES);
      }),
    );
  });
});

describe("toStatus and fromServiceError", () => {
  const received = (thrown: unknown): CmdopError => {
    const status = toStatus(thrown);
    const error: ServiceError = Object.assign(new Error(status.details), status);
    return fromServiceError(error, true);
  };

  it.each(Object.keys(ERROR_TABLE).filter(isErrorCode))("%s survives the wire", (code) => {
    const error = received(new CmdopError(code, "why", { next: "what now?\nthis" }));
    expect(error).toMatchObject({ code, name: code, message: "why", next: "what now?\nthis" });
  });

  it("what is not a CmdopError becomes Internal and keeps its cause on this side only", () => {
    const cause = new TypeError("x is not a function");
    expect(CmdopError.from(cause)).toMatchObject({ code: "Internal", message: cause.message, cause });
    expect(CmdopError.from("thrown text").message).toBe("thrown text");
    expect(JSON.stringify(toStatus(cause))).not.toContain("stack");
  });

  it("a status without our trailer still has a code", () => {
    for (const [code, expected] of Object.entries(CODE_OF_BARE_STATUS)) {
      const { metadata } = toStatus(new Error("bare"));
      metadata.remove("x-cmdop-error");
      const error = Object.assign(new Error("bare"), { code: Number(code), details: "bare", metadata });
      expect(fromServiceError(error, true).code).toBe(expected);
    }
  });

  it("a bare CANCELLED that this side did not ask for is a lost connection", () => {
    const { metadata } = toStatus(new Error("bare"));
    metadata.remove("x-cmdop-error");
    const error = Object.assign(new Error("bare"), { code: 1, details: "bare", metadata });
    expect(fromServiceError(error, true).code).toBe("Canceled");
    expect(fromServiceError(error, false).code).toBe("LinkLost");
  });

  it("a code that the table does not have falls back to the status", () => {
    const { metadata } = toStatus(new Error("x"));
    for (const code of ["NoSuchCode", "constructor", "__proto__", ""]) {
      metadata.set("x-cmdop-error", code);
      const error = Object.assign(new Error("x"), { code: 14, details: "x", metadata });
      expect(fromServiceError(error, true).code).toBe("LinkLost");
    }
  });
});

describe("a call to something that does not speak gRPC", () => {
  it("fails with a CmdopError too", async () => {
    await using server = await http2Loopback((stream) => {
      stream.respond({ ":status": 404, "content-type": "text/html" });
      stream.end("<h1>no</h1>");
    });
    const answer = createClient(Machine, () => server.channel).info({});
    await expect(answer).rejects.toBeInstanceOf(CmdopError);
  });
});
