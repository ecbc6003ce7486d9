import { readFile, writeFile } from "node:fs/promises";
import { encodeText, type TextEncodingName } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { makeScratch, NEVER, refusal } from "../place/test-support.ts";
import { edit } from "./edit.ts";

async function edited(before: Buffer, old: string | Buffer, substitute: string | Buffer): Promise<Buffer> {
  await using scratch = await makeScratch();
  const file = await scratch.file("f");
  await writeFile(file, before);
  const options = { old: Buffer.from(old), new: Buffer.from(substitute), all: false };
  await edit(scratch.boundary(), file, options, NEVER);
  return await readFile(file);
}

describe("an edit of a text that is not UTF-8", () => {
  it.each<readonly [TextEncodingName, string, string, string]>([
    ["windows-1252", "Le café est fermé à 18 h.\nDéjà bientôt l'été.\n", "café est fermé", "thé coûte 3 €"],
    ["utf-16le", "\ufefferste Zeile\r\nzweite Zeile mit ä\r\n", "zweite Zeile mit ä\n", "zweite: 日本\n"],
    ["utf-16be", "name = value\nother = naïve\n", "naïve", "über"],
    ["shift_jis", "設定ファイルを開けませんでした。\nもう一度お試しください。\n", "もう一度", "後でもう一度"],
    ["gbk", "无法打开日志文件，请稍后重试。\n用户名：张三\n", "张三", "李四"],
  ])("is found and written in %s, and every other byte stays", async (encoding, text, old, substitute) => {
    const after = await edited(encodeText(text, encoding), old, substitute);
    const ends = text.includes("\r\n") ? (it: string) => it.replaceAll("\n", "\r\n") : (it: string) => it;
    expect(after).toEqual(encodeText(text.replace(ends(old), ends(substitute)), encoding));
  });

  it("says what can't be written in its encoding, and leaves the file", async () => {
    const before = encodeText("déjà vu, où ça\n", "windows-1252");
    const error = await refusal(edited(before, "déjà", "日本"));
    expect(error).toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("windows-1252"),
    });
  });

  it("keeps the stray bytes of a log, and reaches them as they are shown", async () => {
    const log = (name: string) =>
      Buffer.from(`${"a line of the log\n".repeat(800)}caf${name} is here\nlast\n`, "latin1");
    expect(await edited(log("\xe9"), "last", "läst")).toEqual(
      Buffer.concat([log("\xe9").subarray(0, -5), Buffer.from("läst\n")]),
    );
    expect(await edited(log("\xe9"), "caf\\xE9 is", "caf\\xE9 was")).toEqual(
      Buffer.from(log("\xe9").toString("latin1").replace(" is here", " was here"), "latin1"),
    );
    expect(await edited(log("\xe9"), Buffer.from("caf\xe9", "latin1"), "coffee")).toEqual(
      Buffer.from(log("\xe9").toString("latin1").replace("caf\xe9", "coffee"), "latin1"),
    );
  });
});
