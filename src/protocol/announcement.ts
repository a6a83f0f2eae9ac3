import { announcementKey } from "./wire-names.ts";

/** What a Troupe peer puts into the metadata of its data channel, and a Troupe host into the answer to it (protocol.md §11.1). */
export const announcement: { readonly [name: string]: string } = { [announcementKey]: "1" };

/** Whether a peer with this metadata knows Troupe's extensions. A later version knows those of the earlier ones. */
export function isAnnounced(metadata: { readonly [name: string]: string | undefined }): boolean {
  return /^[1-9]\d{0,8}$/.test(metadata[announcementKey] ?? "");
}
