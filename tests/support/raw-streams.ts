import { expect } from "vitest";
import type { Frame } from "../../src/protocol/internal.ts";
import type { RawWorker } from "./raw-worker.ts";

/** Options of a raw worker of Troupe's that knows streams. */
export const streaming = { isAnnounced: true, metadata: { agcaps: "turns,streams" } } as const;

export type Chunk = Extract<Frame, { readonly kind: "chunk" }>;

/** Makes a chunk of zeros; the first one names its type. */
export function chunk(requestId: string, offset: number, bytes = 8): Chunk {
  const types = offset === 0 ? { typeName: "T", contentType: "application/json" } : { typeName: "", contentType: "" };
  return { kind: "chunk", requestId, offset, ...types, data: new Uint8Array(bytes) };
}

/** Begins a stream of poet/k with this window. Returns the id under which the target knows it. */
export async function beginStream(caller: RawWorker, target: RawWorker, agstream = "1024"): Promise<string> {
  caller.request("7", "poet/k", { metadata: { agstream } });
  const { requestId, metadata } = await target.nextRequest();
  expect(metadata).toEqual({ agstream });
  return requestId;
}
