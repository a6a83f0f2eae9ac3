import { readFileSync } from "node:fs";

export type Header = readonly [name: string, value: string];

/** How a call ended; null for a channel, which the worker cancelled. */
export interface CapturedEnd {
  readonly grpcStatus: number;
  readonly grpcMessage: string;
  readonly trailersOnly: boolean;
}

export interface CapturedCall {
  readonly path: string;
  /** Null: the call was made without one. */
  readonly clientId: string | null;
  readonly end: CapturedEnd | null;
}

export interface CapturedMessage {
  readonly description: string;
  readonly call: number;
  readonly direction: "client->host" | "host->client";
  readonly protoType: string;
  readonly hex: string;
  /** What Python's protobuf made of it, in protobuf's JSON under the names of the proto. */
  readonly decoded: unknown;
}

export interface CapturedSettings {
  readonly headerTableSize: number;
  readonly enablePush: boolean;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
  readonly maxConcurrentStreams: number;
  readonly maxHeaderListSize: number;
}

interface Capture {
  readonly clients: Readonly<Record<string, string>>;
  readonly http2Settings: { readonly client: CapturedSettings; readonly server: CapturedSettings };
  /** Of every call; `:path`, `:authority` and `client-id` come on top. */
  readonly requestHeaders: readonly Header[];
  readonly responseHeaders: readonly Header[];
  readonly calls: Readonly<Record<string, CapturedCall>>;
  readonly messages: readonly CapturedMessage[];
}

/** Traffic between real Python 0.7.5 workers and the real Python host, in the order of time. */
export const pythonWire: Capture = JSON.parse(
  readFileSync(new URL("../data/python-wire.json", import.meta.url), "utf8"),
);

export function capturedCall(call: number): CapturedCall {
  const found = pythonWire.calls[call];
  if (found === undefined) throw new Error(`the capture has no call ${call}`);
  return found;
}

/** The client id of the worker whose name in the capture begins so: `w1`, `w2` or `w3`. */
export function capturedClient(worker: "w1" | "w2" | "w3"): string {
  const name = Object.keys(pythonWire.clients).find((one) => one.startsWith(worker));
  return pythonWire.clients[name ?? ""] ?? "";
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
