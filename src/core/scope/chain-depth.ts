// protocol.md §11.13
/** Key of the metadata of calls and of the attributes of events. */
export const depthKey = "agdepth";

/** The largest depth that a runtime sends, and the largest bound that it takes. */
export const mostDepth = 1_000_000;

const depthForm = /^(0|[1-9]\d{0,6})(?:\.([1-9]\d{0,6}))?$/;

/** Returns the entry for a depth and, of a call, the number of handlers that wait for it; none for 0 and 0. */
export function depthMetadata(depth: number, waiting = 0): { readonly [depthKey]: string } | undefined {
  if (depth === 0 && waiting === 0) return undefined;
  const text = String(Math.min(depth, mostDepth));
  return { [depthKey]: waiting === 0 ? text : `${text}.${Math.min(waiting, mostDepth)}` };
}

/** Reads the depth of a message. 0: it names none, or one that no runtime writes. */
export function depthIn(metadata: Readonly<Record<string, string>>): number {
  return partOf(metadata[depthKey], 1);
}

/** Reads how many handlers wait for a call, one for the other. 0: its caller has not counted them. */
export function waitingIn(metadata: Readonly<Record<string, string>>): number {
  return partOf(metadata[depthKey], 2);
}

function partOf(text: string | undefined, part: 1 | 2): number {
  return text === undefined ? 0 : Math.min(Number(depthForm.exec(text)?.[part] ?? 0), mostDepth);
}
