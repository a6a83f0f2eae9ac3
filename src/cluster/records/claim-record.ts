import type { AgentName, Epoch } from "../../core/internal.ts";
import type { StoreEntry } from "../coordination-store.ts";
import { encodeRecord, isCount, isEra, isText, readFields } from "./record-text.ts";

/** Says which worker has an agent. */
export interface ClaimRecord {
  readonly agent: AgentName;
  readonly workerId: string;
  readonly epoch: Epoch;
}

/**
 * Encodes a claim. `number` undefined: it is a new one, and its number is the revision that the store will give it. Names of fields are
 * short because there may be millions.
 */
export function encodeClaim(
  { type, key }: AgentName,
  workerId: string,
  { generation, era, number }: Omit<Epoch, "number"> & { readonly number?: number | undefined },
): Uint8Array {
  return encodeRecord({ t: type, k: key, w: workerId, g: generation, r: era, e: number });
}

/** Reads a claim. Undefined: it can't be read. */
export function readClaim({ value, revision }: StoreEntry): ClaimRecord | undefined {
  const fields = readFields(value);
  if (fields === undefined) return undefined;
  const { t, k, w, g, r, e = revision } = fields;
  if (!isText(t) || !isText(k) || !isText(w) || !isCount(g) || !isEra(r) || !isCount(e)) return undefined;
  return { agent: { type: t, key: k }, workerId: w, epoch: { generation: g, era: r, number: e } };
}
