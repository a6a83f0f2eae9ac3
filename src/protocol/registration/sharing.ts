import {
  type AgentPlacement,
  placements,
  type SharingTerms,
  type WorkerLabels,
  whyInvalidLabels,
} from "../../core/internal.ts";
import { sharingKey, workerKey } from "../wire-names.ts";

type Metadata = { readonly [name: string]: string | undefined };

// protocol.md §11.14
/** The facts by which a host tells workers apart when it places agents. */
export interface WorkerIdentity {
  /** Names the running worker. */
  readonly id: string;
  /** Outlives restarts. */
  readonly name: string;
  /** Undefined: none, which is the oldest. */
  readonly version: string | undefined;
  readonly labels: WorkerLabels;
}

/** The longest id, name and version that a host reads, in characters. */
export const mostIdentityChars = 256;

/** Returns the metadata of `OpenChannel` that names a worker. */
export function identityMetadata({ id, name, version, labels }: WorkerIdentity): { readonly [name: string]: string } {
  const labelText = formatLabels(labels);
  return {
    [workerKey.id]: id,
    ...(name !== id && { [workerKey.name]: encodeURIComponent(name) }),
    ...(version !== undefined && { [workerKey.version]: encodeURIComponent(version) }),
    ...(labelText !== "" && { [workerKey.labels]: labelText }),
  };
}

/** Reads what a worker says of itself. What is malformed counts as not said; the id is `fallbackId` then. */
export function readIdentity(metadata: Metadata, fallbackId: string): WorkerIdentity {
  const given = metadata[workerKey.id] ?? "";
  const id = given !== "" && given.length <= mostIdentityChars ? given : fallbackId;
  return {
    id,
    name: shortText(metadata[workerKey.name]) ?? id,
    version: shortText(metadata[workerKey.version]),
    labels: parseLabels(metadata[workerKey.labels]) ?? noLabels,
  };
}

// protocol.md §11.19
/** Returns the metadata of `OpenChannel` that says which connection of the worker this is. They are counted from 1. */
export function sessionMetadata(session: number): { readonly [name: string]: string } {
  return { [workerKey.session]: String(session) };
}

/** Reads which connection of a worker this is. Undefined: it does not say so, or what it says is malformed. */
export function readSession(metadata: Metadata): number | undefined {
  const text = metadata[workerKey.session] ?? "";
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

/** Returns the metadata of `RegisterAgent` for a shared type; undefined for a type that is not shared. */
export function sharingMetadata(terms: SharingTerms | undefined): { readonly [name: string]: string } | undefined {
  if (terms === undefined) return undefined;
  const { placement, requires } = terms;
  const labels = formatLabels(requires);
  return {
    [sharingKey.shared]: "1",
    ...(placement !== undefined && { [sharingKey.placement]: placement }),
    ...(labels !== "" && { [sharingKey.requires]: labels }),
  };
}

/** Reads the terms under which a worker shares a type; undefined: it does not. `invalid` tells why they can't be read. */
export function readSharing(metadata: Metadata): SharingTerms | { readonly invalid: string } | undefined {
  if (metadata[sharingKey.shared] !== "1") return undefined;
  const named = metadata[sharingKey.placement];
  const placement = named === undefined ? undefined : placements.find((known) => known === named);
  if (named !== undefined && placement === undefined)
    return { invalid: `The placement ${JSON.stringify(named.slice(0, 64))} is not known.` };
  const requires = parseLabels(metadata[sharingKey.requires]);
  if (requires === undefined) return { invalid: `The labels of ${sharingKey.requires} can't be read.` };
  return { placement: placement satisfies AgentPlacement | undefined, requires };
}

const noLabels: WorkerLabels = {};

/** Longer texts are not read: all labels within their bounds are shorter together. */
const mostLabelChars = 16_384;

/** Labels as text: `zone=a,gpu=true`, the values percent-encoded. */
function formatLabels(labels: WorkerLabels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join(",");
}

/** Returns undefined for a text that is malformed. */
function parseLabels(text: string | undefined): WorkerLabels | undefined {
  if (text === undefined || text === "") return noLabels;
  if (text.length > mostLabelChars) return undefined;
  const labels: Record<string, string> = Object.create(null);
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const value = at < 1 ? undefined : decoded(part.slice(at + 1));
    if (value === undefined) return undefined;
    labels[part.slice(0, at)] = value;
  }
  return whyInvalidLabels(labels) === undefined ? labels : undefined;
}

function shortText(text: string | undefined): string | undefined {
  if (text === undefined || text === "" || text.length > 3 * mostIdentityChars) return undefined;
  const value = decoded(text);
  return value !== undefined && value.length <= mostIdentityChars ? value : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
