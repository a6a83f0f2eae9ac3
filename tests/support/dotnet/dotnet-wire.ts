import { readFileSync } from "node:fs";

export type Header = readonly [name: string, value: string];

/** One message of the capture, or something else that happened on a call. */
export interface CapturedStep {
  /** What the recorded programs were doing. */
  readonly during: string;
  readonly call: number;
  readonly path: string;
  readonly event?: string;
  readonly headers?: readonly Header[];
  readonly direction?: "worker->host" | "host->worker";
  readonly hex?: string;
}

interface Capture {
  readonly http2: { readonly client_settings: Readonly<Record<string, number | boolean>> };
  readonly messages: readonly CapturedStep[];
}

/** Traffic of AutoGen's .NET worker with an earlier host of Troupe's, in the order of time. */
export const dotnetWire: Capture = JSON.parse(
  readFileSync(new URL("../../conformance/data/dotnet-wire.json", import.meta.url), "utf8"),
);

/** The headers with which the recorded worker opened its data channel, without those that name the connection. */
export const recordedHeaders: readonly Header[] = (
  dotnetWire.messages.find(({ event, path }) => event === "request headers" && path.endsWith("/OpenChannel"))
    ?.headers ?? []
).filter(([name]) => !name.startsWith(":") && name !== "client-id");

/** The recorded messages of one direction on data channels while the programs were doing something. */
export function recordedFrames(direction: "worker->host" | "host->worker", during: string): readonly Uint8Array[] {
  const frames = dotnetWire.messages.filter(
    (step) => step.direction === direction && step.during === during && step.path.endsWith("/OpenChannel"),
  );
  if (frames.length === 0) throw new Error(`the capture has no message of ${direction} during: ${during}`);
  return frames.map(({ hex = "" }) => Buffer.from(hex, "hex"));
}
