import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Machine } from "../gen/cmdop/v1/machine_pb.ts";
import { MAX_FRONT_HEADER_BYTES, MAX_STATUS_MESSAGE_BYTES } from "../limits.ts";
import { createClient } from "../rpc/client.ts";
import { http2Loopback } from "../testing/loopback.ts";
import { CmdopError } from "./cmdop-error.ts";
import { CODE_OF_BARE_STATUS, ERROR_TABLE, isErrorCode } from "./table.ts";
import { errorOfTrailers, errorTrailers } from "./wire.ts";

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

describe("errorTrailers, read by a client", () => {
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

describe("errorTrailers and errorOfTrailers", () => {
  const received = (thrown: unknown): CmdopError =>
    errorOfTrailers(errorTrailers(CmdopError.from(thrown)), true);

  it.each(Object.keys(ERROR_TABLE).filter(isErrorCode))("%s survives the wire", (code) => {
    const error = received(new CmdopError(code, "why", { next: "what now?\nthis" }));
    expect(error).toMatchObject({ code, name: code, message: "why", next: "what now?\nthis" });
  });

  it("what is not a CmdopError becomes Internal and keeps its cause on this side only", () => {
    const cause = new TypeError("x is not a function");
    expect(CmdopError.from(cause)).toMatchObject({ code: "Internal", message: cause.message, cause });
    expect(CmdopError.from("thrown text").message).toBe("thrown text");
    expect(received(cause)).toMatchObject({ code: "Internal", message: cause.message });
    expect(received(cause).cause).toBeUndefined();
    expect(JSON.stringify(errorTrailers(CmdopError.from(cause)))).not.toContain("stack");
  });

  it("a status without our trailer still has a code", () => {
    for (const [status, expected] of Object.entries(CODE_OF_BARE_STATUS)) {
      expect(errorOfTrailers({ "grpc-status": status }, true).code).toBe(expected);
    }
  });

  it("a bare CANCELLED that this side did not ask for is a lost connection", () => {
    expect(errorOfTrailers({ "grpc-status": "1" }, true).code).toBe("Canceled");
    expect(errorOfTrailers({ "grpc-status": "1" }, false).code).toBe("LinkLost");
  });

  it("a code that the table does not have falls back to the status", () => {
    for (const code of ["NoSuchCode", "constructor", "__proto__", ""]) {
      expect(errorOfTrailers({ "grpc-status": "14", "x-cmdop-error": code }, true).code).toBe("LinkLost");
    }
  });

  it("a status that is none is an unknown one", () => {
    for (const status of ["", "-1", "1e1", "99999"]) {
      expect(errorOfTrailers({ "grpc-status": status }, true).code).toBe("LinkLost");
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
