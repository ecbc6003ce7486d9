import { streamText } from "ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";
import { expect, it, vi } from "vitest";
import { answerFormat } from "./answer-format.ts";
import { parseSchema } from "./output-schema.ts";

const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

it("promise 9: an answer in many pieces is passed on piece by piece, and parsed by nobody on the way", async () => {
  const pieces = ['{"items": [0', ...Array.from({ length: 500 }, () => ", 1"), "]}"];
  const chunks = [
    { type: "text-start", id: "1" },
    ...pieces.map((delta) => ({ type: "text-delta", id: "1", delta }) as const),
    { type: "text-end", id: "1" },
    { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage: USAGE },
  ] as const;
  const stream = simulateReadableStream({
    initialDelayInMs: null,
    chunkDelayInMs: null,
    chunks: [...chunks],
  });
  const model = new MockLanguageModelV4({ doStream: async () => ({ stream }) });
  const parse = vi.spyOn(JSON, "parse");

  const output = answerFormat(parseSchema('{"type": "object"}'));
  const came: string[] = [];
  for await (const part of streamText({ model, prompt: "Count.", output }).stream)
    if (part.type === "text-delta") came.push(part.text);

  expect(came).toEqual(pieces);
  expect(parse.mock.calls.filter(([text]) => text.startsWith('{"items"'))).toEqual([]);
  expect(model.doStreamCalls[0]?.responseFormat).toEqual({ type: "json", schema: { type: "object" } });
  parse.mockRestore();
});
