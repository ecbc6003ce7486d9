import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectText } from "./detect.ts";
import { decodeStrictly, encodeText, TEXT_ENCODINGS, type TextEncodingName } from "./encodings.ts";
import { cutBytes, nextLine, readable, textNotes } from "./readable.ts";
import { OpenedText } from "./window.ts";

const FRENCH = "Le café est fermé à 18 h, mais l'été déjà bientôt.\nÇa coûte 3 € « environ ».\n";
const SAMPLES: readonly (readonly [TextEncodingName, string])[] = [
  ["utf-8", "échos 日本語 🙂\n"],
  ["windows-1252", FRENCH],
  ["windows-1252", "caf\u00e9\n"],
  ["windows-1252", "Grüße aus München – „schön“\n"],
  ["shift_jis", "ログファイルを開けませんでした。\r\nもう一度お試しください。\r\n"],
  ["shift_jis", "# 設定ファイル\nname = テスト\n"],
  ["euc-jp", "ログファイルを開けませんでした。もう一度お試しください。\n"],
  ["gbk", "无法打开日志文件，请稍后重试。\n用户名：张三\n"],
  ["gbk", "name=测试\n# 这是一个配置文件\n"],
  ["big5", "無法開啟記錄檔，請稍後再試。這是一個設定檔案，內容包含中文。\n"],
  ["euc-kr", "로그 파일을 열 수 없습니다. 다시 시도해 주세요.\n"],
  ["utf-16le", "Windows Registry Editor Version 5.00\r\n[Software]\r\n"],
  ["utf-16be", "plain text of another kind, naïve\n"],
];
const marks = { "utf-16le": Buffer.of(0xff, 0xfe), "utf-16be": Buffer.of(0xfe, 0xff) };
const log = (lines: number): Buffer[] =>
  Array.from({ length: lines }, (_, index) => Buffer.from(`2026-11-30 line ${index} of the log is fine\n`));

describe("which encoding a file has", () => {
  it.each(SAMPLES)("%s: %j", (encoding, text) => {
    const bytes = encodeText(text, encoding);
    expect(decodeStrictly(bytes, encoding)).toBe(text);
    expect(detectText(bytes)).toEqual({ kind: "text", encoding });
    expect(readable(bytes, encoding)).toEqual({ text, strays: 0, firstStrays: [] });
    // Long enough that the examined piece is cut somewhere.
    const much = Buffer.concat(Array.from({ length: 3_000 }, () => bytes));
    expect(detectText(much)).toEqual({ kind: "text", encoding });
  });

  it.each(["utf-16le", "utf-16be"] as const)("%s by its mark, whatever is written in it", (encoding) => {
    const bytes = Buffer.concat([marks[encoding], encodeText("日本語のテキスト", encoding)]);
    expect(detectText(bytes)).toEqual({ kind: "text", encoding });
  });

  it("is UTF-8 with damage where a byte or two are no text", () => {
    const lines = log(800);
    lines.splice(400, 0, Buffer.from("caf\xe9 is one\n", "latin1"));
    const bytes = Buffer.concat(lines);
    expect(detectText(bytes)).toEqual({ kind: "text", encoding: "utf-8" });
    const read = readable(bytes, "utf-8");
    expect(read.text).toContain("\ncaf\\xE9 is one\n");
    const notes = textNotes(read, "utf-8", ({ offset }) => `byte ${offset}`);
    expect(notes).toEqual([`1 byte that is no text is shown as \\xE9: byte ${bytes.indexOf(0xe9)}`]);
    const holes = Buffer.concat([...log(100), Buffer.alloc(3), ...log(100)]);
    expect(readable(holes, "utf-8").text).toContain("\n\\x00\\x00\\x00");
    expect(detectText(holes)).toEqual({ kind: "text", encoding: "utf-8" });
    const mixed = Buffer.concat([
      Buffer.from("日本語のログ\n".repeat(50)),
      Buffer.of(0xe9, 0xff),
      Buffer.from("\nend é\n"),
    ]);
    expect(detectText(mixed)).toEqual({ kind: "text", encoding: "utf-8" });
  });

  it("is none where it is binary, and the kind is named where its first bytes tell", () => {
    const noise = (length: number) =>
      Buffer.from(Array.from({ length }, (_, index) => (index * 7_919 + (index >> 3) * 104_729) & 0xff));
    expect(detectText(noise(4_096))).toEqual({ kind: "binary", type: undefined });
    expect(detectText(Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), noise(100)]))).toMatchObject(
      { type: "PNG image" },
    );
    expect(detectText(Buffer.from("%PDF-1.7\n1 0 obj\n"))).toMatchObject({
      kind: "binary",
      type: "PDF document",
    });
    expect(
      detectText(Buffer.concat([Buffer.from("\x7fELF\x02\x01\x01\0\0\0", "latin1"), Buffer.alloc(64)])),
    ).toMatchObject({ kind: "binary" });
    expect(detectText(Buffer.from("MZ is how this text begins\n"))).toMatchObject({ kind: "text" });
    expect(detectText(Buffer.from("ab\0cd"))).toMatchObject({ kind: "binary" });
    expect(detectText(Buffer.alloc(0))).toEqual({ kind: "text", encoding: "utf-8" });
    // Russian in Windows-1251 is neither Chinese nor Korean nor French.
    const russian = Buffer.from([
      0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2, 0x2c, 0x20, 0xec, 0xe8, 0xf0, 0x21, 0x0a,
    ]);
    expect(detectText(russian)).not.toMatchObject({
      encoding: expect.stringMatching(/gbk|euc|big5|shift|1252/),
    });
  });
});

describe("property: encodings", () => {
  it.each(TEXT_ENCODINGS)(
    "what is encoded in %s is decoded again, and what it has not is refused",
    (encoding) => {
      fc.assert(
        fc.property(
          fc.string({
            unit: fc.oneof(
              fc.constantFrom(...FRENCH, ..."ログ設定无法無로그あ"),
              fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
            ),
          }),
          (text) => {
            let bytes: Buffer;
            try {
              bytes = encodeText(text, encoding);
            } catch (thrown) {
              expect(String(thrown)).toContain(encoding);
              return;
            }
            expect(decodeStrictly(bytes, encoding)).toBe(text);
          },
        ),
        { numRuns: 300 },
      );
    },
  );

  it("no byte is lost unnamed, in whatever encoding it is read", () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(fc.constantFrom(0x41, 0x0a, 0, 0x82, 0xa0, 0xd8, 0xdc, 0xe9, 0xff), { maxLength: 60 })
        .map((it) => Uint8Array.from(it)),
    );
    fc.assert(
      fc.property(any, fc.constantFrom(...TEXT_ENCODINGS), (bytes, encoding) => {
        const { text, strays } = readable(bytes, encoding);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain("\0");
        // Each stray has four characters; all others come back in their usual encoding.
        const plain = bytes.filter((byte) => byte !== 0x5c);
        const again = readable(plain, encoding);
        if (again.strays === 0 && strays === 0) expect(decodeStrictly(bytes, encoding)).toBe(text);
        if (encoding === "utf-8") {
          const back = text
            .split(/(\\x[0-9A-F]{2})/)
            .map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(2), "hex") : Buffer.from(part)));
          if (!bytes.includes(0x5c)) expect(Buffer.concat(back)).toEqual(Buffer.from(bytes));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("windows that are read one after the other make a file whole, whatever their size and its encoding", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SAMPLES),
        fc.integer({ min: 1, max: 37 }),
        async ([encoding, sample], size) => {
          const bytes = encodeText(sample.repeat(3), encoding);
          const opened = await OpenedText.open(async (offset, length) =>
            bytes.subarray(offset, offset + length),
          );
          let text = "";
          let next: number | null = 0;
          while (next !== null) {
            const window = opened.text(await opened.window(next, size));
            if (window === undefined) throw new Error("no text");
            expect(window.offset).toBe(next);
            expect(window.strays).toBe(0);
            text += window.text;
            next = window.nextOffset;
          }
          expect(text).toBe(sample.repeat(3));
          // A window from any offset begins with a whole character close after it.
          const at = Math.floor(bytes.length / 2);
          const inside = opened.text(await opened.window(at, size));
          expect(inside?.strays).toBe(0);
          expect((inside?.offset ?? 0) - at).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 300 },
    );
  });
});

it("a line feed of UTF-16 is one of its units, not any byte", () => {
  const bytes = encodeText("Ċ\u0a0a\nx", "utf-16le");
  expect(nextLine(bytes, 0, "utf-16le")).toEqual({ at: 4, bytes: 2 });
  expect(nextLine(encodeText("Ċ\u0a0a\nx", "utf-16be"), 0, "utf-16be")).toEqual({ at: 4, bytes: 2 });
  expect(cutBytes(bytes.subarray(0, 5), "utf-16le")).toBe(1);
});
