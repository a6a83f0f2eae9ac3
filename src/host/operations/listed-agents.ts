import { type AgentName, type Epoch, formatEpoch, parseEpoch } from "../../core/internal.ts";
import { limits } from "../limits.ts";
import type { Claim, ClaimQuery } from "../placement/agent-directory.ts";
import { encodeJson, fieldsIn, isCount, isList } from "./host-status.ts";

/** The place of an agent of a shared type, as its host tells it. */
export interface ToldPlace {
  readonly workerId: string;
  readonly epoch: Epoch;
}

/** Bytes of a list, of which a host says no more agents, and of a longer one that is not read. */
const saidBytes = 1024 * 1024;
const longestList = 2 * saidBytes;
/** Agents of one request or answer. */
export const agentsAtOnce = 500;

export type AgentsQuery = ClaimQuery & { readonly limit: number };

export function encodeAgentsQuery({ type, workerId, after = 0, limit }: AgentsQuery): Uint8Array {
  return encodeJson({ type, worker: workerId, after, limit });
}

export function readAgentsQuery(bytes: Uint8Array): AgentsQuery | undefined {
  const fields = fieldsIn(bytes, longestList);
  if (fields === undefined) return undefined;
  const { type, worker: workerId, after, limit } = fields;
  if (!isOptionalName(type) || !isOptionalName(workerId) || !isWhole(after) || !isWhole(limit) || limit < 1)
    return undefined;
  return { type, workerId, after, limit: Math.min(limit, agentsAtOnce) };
}

export interface ClaimsOfHost {
  readonly claims: readonly Claim[];
  /** Undefined: there are no more. */
  readonly next: number | undefined;
}

export function encodeAgents({ claims, next }: ClaimsOfHost): Uint8Array {
  const agents = claims.map(({ type, key, workerId, epoch }) => [type, key, workerId, formatEpoch(epoch)]);
  return encodeJson({ agents, next: next ?? null });
}

/** How many agents of a page are short enough for one answer: at least one. */
export function countThatFits(claims: readonly Claim[]): number {
  let bytes = 0;
  for (const [at, { type, key, workerId }] of claims.entries()) {
    // A character has six bytes in JSON at most.
    bytes += 100 + 6 * (type.length + key.length + workerId.length);
    if (bytes > saidBytes && at > 0) return at;
  }
  return claims.length;
}

export function readAgents(bytes: Uint8Array): ClaimsOfHost | undefined {
  const fields = fieldsIn(bytes, longestList);
  if (fields === undefined) return undefined;
  const { agents, next } = fields;
  if (!isList(agents, agentsAtOnce) || (next !== null && !isWhole(next))) return undefined;
  const claims = agents.map(claimIn);
  return claims.every((claim) => claim !== undefined) ? { claims, next: next ?? undefined } : undefined;
}

export function encodeAgentNames(agents: readonly AgentName[]): Uint8Array {
  return encodeJson({ agents: agents.map(({ type, key }) => [type, key]) });
}

export function readAgentNames(bytes: Uint8Array): readonly AgentName[] | undefined {
  const agents = fieldsIn(bytes, longestNames)?.agents;
  if (!isList(agents, agentsAtOnce)) return undefined;
  const names = agents.map((agent): AgentName | undefined => {
    const [type, key] = Array.isArray(agent) ? agent : [];
    return typeof type === "string" && typeof key === "string" ? { type, key } : undefined;
  });
  return names.every((name) => name !== undefined) ? names : undefined;
}

/** Of 500 agents with keys of 1,024 characters. */
const longestNames = 8 * 1024 * 1024;

export function encodePlaces(places: readonly (ToldPlace | undefined)[]): Uint8Array {
  return encodeJson({ places: places.map((place) => place && [place.workerId, formatEpoch(place.epoch)]) });
}

/** `count`: the agents that were asked for. */
export function readPlaces(bytes: Uint8Array, count: number): readonly (ToldPlace | undefined)[] | undefined {
  const places = fieldsIn(bytes, longestList)?.places;
  if (!isList(places, count) || places.length !== count) return undefined;
  return places.map((place) => {
    const [workerId, text] = Array.isArray(place) ? place : [];
    const epoch = epochIn(text);
    return isName(workerId) && epoch !== undefined ? { workerId, epoch } : undefined;
  });
}

function claimIn(value: unknown): Claim | undefined {
  const [type, key, workerId, text] = Array.isArray(value) ? value : [];
  const epoch = epochIn(text);
  if (!isName(type) || !isName(key) || !isName(workerId) || epoch === undefined) return undefined;
  return { type, key, workerId, epoch };
}

function epochIn(text: unknown): Epoch | undefined {
  try {
    return typeof text === "string" ? parseEpoch(text) : undefined;
  } catch {
    return undefined;
  }
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= limits.nameChars;
}

function isOptionalName(value: unknown): value is string | undefined {
  return value === undefined || isName(value);
}

function isWhole(value: unknown): value is number {
  return isCount(value) && Number.isSafeInteger(value);
}
