import type { ServerResponse } from "node:http";
import { type Refusal, ScriptedProvider } from "./scripted-provider.ts";

/** A part of an answer, as Google's models give them. */
export type Part =
  | { readonly text: string; readonly thought?: true }
  | {
      readonly functionCall: { readonly name: string; readonly args: object };
      /** What the model wants to see again with its call. */
      readonly thoughtSignature?: string;
    };

/** An answer: its parts, a chunk each, and how it ends; undefined where it just stops. */
export interface GoogleTurn {
  readonly parts: readonly Part[];
  readonly finishReason: string | undefined;
}

/** A whole answer. */
export const said = (...parts: readonly Part[]): GoogleTurn => ({ parts, finishReason: "STOP" });

/** A refusal as Google words it; `retryDelay` as in its RetryInfo. */
export function googleRefusal(code: number, message: string, retryDelay?: string): Refusal {
  const details =
    retryDelay === undefined ? [] : [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }];
  return { status: code, body: { error: { code, message, status: "SCRIPTED", details } } };
}

/** A server that speaks Google's generateContent protocol with streaming. */
export function googleServer(
  ...script: readonly (GoogleTurn | Refusal)[]
): Promise<ScriptedProvider<GoogleTurn>> {
  return new ScriptedProvider(script, send).listen();
}

function send(response: ServerResponse, { parts, finishReason }: GoogleTurn): void {
  const usageMetadata = { promptTokenCount: 20, candidatesTokenCount: 7, totalTokenCount: 27 };
  const chunk = (content: readonly Part[], more: object = {}): void => {
    const candidate = { index: 0, content: { role: "model", parts: content }, ...more };
    const body = { candidates: [candidate], usageMetadata, modelVersion: "scripted", responseId: "r" };
    response.write(`data: ${JSON.stringify(body)}\r\n\r\n`);
  };
  for (const part of parts) chunk([part]);
  if (finishReason !== undefined) chunk([{ text: "" }], { finishReason });
  response.end();
}
