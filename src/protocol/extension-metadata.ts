import type { WireMetadata } from "./frames/frame.ts";
import { announcementKey, metadataKey } from "./wire-names.ts";

// protocol.md §11.1
/** Metadata with which Troupe's peers announce themselves: a worker on its data channel, a host in the answer. */
export const announcement: { readonly [name: string]: string } = { [announcementKey]: "1" };

/** Whether a peer with this metadata knows Troupe's extensions. Later versions know the earlier ones. */
export function isAnnounced(metadata: { readonly [name: string]: string | undefined }): boolean {
  return /^[1-9]\d{0,8}$/.test(metadata[announcementKey] ?? "");
}

// protocol.md §7
/** The kind of a host, as the headers of its answer to the data channel show it. */
export interface HostTraits {
  readonly isAnnounced: boolean;
  readonly isDotnetGateway: boolean;
}

/** Reads the kind of a host. .NET's gateway runs on Kestrel, which names itself in each response. */
export function hostTraits(metadata: { readonly [name: string]: string | undefined }): HostTraits {
  const isTroupe = isAnnounced(metadata);
  return { isAnnounced: isTroupe, isDotnetGateway: !isTroupe && metadata.server === "Kestrel" };
}

// protocol.md H6, §11.4
/** Returns the metadata for the time limit of a call. Hosts and Troupe's workers read it; stock peers ignore it. */
export function timeoutMetadata(timeoutMs: number | undefined): WireMetadata | undefined {
  if (timeoutMs === undefined || !Number.isFinite(timeoutMs)) return undefined;
  return { [metadataKey.timeoutMs]: String(Math.ceil(timeoutMs)) };
}

/** Returns the milliseconds that the caller had left when it sent the call; undefined if it set no limit. */
export function timeoutOf(metadata: WireMetadata): number | undefined {
  const text = metadata[metadataKey.timeoutMs];
  return text === undefined ? undefined : parseTimeout(text);
}

/** Parses a whole number of milliseconds above 0; undefined for any other text. */
export function parseTimeout(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

// protocol.md §11.21
/** Returns the metadata of a call whose caller reads chunks. */
export function streamMetadata(windowBytes: number): WireMetadata {
  return { [metadataKey.stream]: String(Math.floor(windowBytes)) };
}

/** Returns the bytes of chunks that the caller of a call has granted; 0 if it reads none. */
export function windowOf(metadata: WireMetadata): number {
  const text = metadata[metadataKey.stream];
  return text === undefined ? 0 : parseWindow(text);
}

/** Returns the metadata of an answer that came behind so many chunks, and may leave by another way than they. */
export function chunksMetadata(chunks: number): WireMetadata {
  return { [metadataKey.chunks]: String(chunks) };
}

/** Returns the number of chunks that its sender has sent before an answer; 0 if it names none. */
export function chunksOf(metadata: WireMetadata): number {
  const text = metadata[metadataKey.chunks];
  return text === undefined ? 0 : parseWindow(text);
}

/** Parses a whole number of bytes, or of chunks, above 0; 0 for any other text. */
export function parseWindow(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
