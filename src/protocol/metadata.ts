import type { WireMetadata } from "./frames/frame.ts";
import { announcementKey, metadataKey } from "./wire-names.ts";

/** What a Troupe peer puts into the metadata of its data channel, and a Troupe host into the answer to it (protocol.md §11.1). */
export const announcement: { readonly [name: string]: string } = { [announcementKey]: "1" };

/** Whether a peer with this metadata knows Troupe's extensions. A later version knows those of the earlier ones. */
export function isAnnounced(metadata: { readonly [name: string]: string | undefined }): boolean {
  return /^[1-9]\d{0,8}$/.test(metadata[announcementKey] ?? "");
}

/** How long an answer is wanted, for those who pass the call on and those who serve it; stock peers pass it by (protocol.md H6, §11.4). */
export function timeoutMetadata(timeoutMs: number | undefined): WireMetadata | undefined {
  if (timeoutMs === undefined || !Number.isFinite(timeoutMs)) return undefined;
  return { [metadataKey.timeoutMs]: String(Math.ceil(timeoutMs)) };
}

/** The milliseconds left for a call when it was sent; undefined: its caller named no bound. */
export function timeoutOf(metadata: WireMetadata): number | undefined {
  const text = metadata[metadataKey.timeoutMs];
  return text === undefined ? undefined : parseTimeout(text);
}

/** A whole number of milliseconds above 0; anything else is no bound at all. */
export function parseTimeout(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}
