import { readFileSync } from "node:fs";

export type Header = readonly [name: string, value: string];

/** One call of the capture; a refused call has its status in `responseHeaders` and no trailers. */
export interface CapturedCall {
  readonly call: number;
  readonly method: string;
  readonly requestHeaders: readonly Header[];
  readonly responseHeaders: readonly Header[];
  readonly trailers: readonly Header[] | null;
}

export interface CapturedMessage {
  readonly call: number;
  readonly from: "worker" | "host";
  /** Full name of the protobuf message. */
  readonly type: string;
  readonly what: string;
  readonly hex: string;
  /** What Python's protobuf made of it, in protobuf's JSON with the names of the proto. */
  readonly decoded: unknown;
}

interface Capture {
  readonly clients: Readonly<Record<CapturedWorker, { readonly id: string; readonly is: string }>>;
  readonly http2: {
    readonly clientSettings: CapturedSettings;
    readonly serverSettings: CapturedSettings;
    readonly close: string;
  };
  readonly calls: readonly CapturedCall[];
  readonly messages: readonly CapturedMessage[];
}

export type CapturedWorker = "w1" | "w2" | "w3";

interface CapturedSettings {
  readonly headerTableSize: number;
  readonly enablePush: boolean;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
  readonly maxConcurrentStreams: number;
  readonly maxHeaderListSize: number;
}

/** Traffic between real Python 0.7.5 workers and the real Python host, in the order of time. */
export const pythonWire: Capture = JSON.parse(
  readFileSync(new URL("../data/python-wire.json", import.meta.url), "utf8"),
);

export function capturedCall(call: number): CapturedCall {
  const found = pythonWire.calls.find((one) => one.call === call);
  if (found === undefined) throw new Error(`the capture has no call ${call}`);
  return found;
}

export function headerOf(headers: readonly Header[] | null, name: string): string | undefined {
  return headers?.find(([key]) => key === name)?.[1];
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
