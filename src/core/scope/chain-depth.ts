// protocol.md §11.13
/** Key of the metadata of calls and of the attributes of events. */
export const depthKey = "agdepth";

/** The largest depth that a runtime sends, and the largest bound that it takes. */
export const mostDepth = 1_000_000;

/** Returns the entry for a depth; none for 0. */
export function depthMetadata(depth: number): { readonly [depthKey]: string } | undefined {
  return depth === 0 ? undefined : { [depthKey]: String(Math.min(depth, mostDepth)) };
}

/** Reads the depth of a message. 0: it names none, or one that no runtime writes. */
export function depthIn(metadata: Readonly<Record<string, string>>): number {
  const text = metadata[depthKey];
  if (text === undefined || !/^[1-9]\d{0,6}$/.test(text)) return 0;
  return Math.min(Number(text), mostDepth);
}
