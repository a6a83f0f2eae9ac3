import { hash } from "node:crypto";
import type { AgentName } from "../../core/internal.ts";

/** Where a cluster keeps what all its hosts must agree on. */
export const metaKey = "cluster.meta";

/** The beginnings of the keys of each kind of record. */
export const prefixes = {
  ...{ meta: "cluster.", host: "host.", worker: "worker.", type: "type.", serve: "serve.", shard: "shard." },
} as const;

export function hostKey(hostId: string): string {
  return `${prefixes.host}${tokenOf(hostId)}`;
}

/** The key that says which host reads a shard of the mail. */
export function shardKey(shard: number): string {
  return `${prefixes.shard}${shard}`;
}

export function workerKey(workerId: string): string {
  return `${prefixes.worker}${tokenOf(workerId)}`;
}

export function typeKey(type: string): string {
  return `${prefixes.type}${tokenOf(type)}`;
}

/** The key that says that a worker serves a shared type. */
export function serveKey(type: string, workerId: string): string {
  return `${prefixes.serve}${tokenOf(type)}.${tokenOf(workerId)}`;
}

/** The key of an agent's claim. */
export function claimKey({ type, key }: AgentName): string {
  // A type has no slash, so that no two agents have the same text.
  return `${claimsPrefix(type)}${hashOf(`${type}/${key}`)}`;
}

/** The beginning of the keys of all claims of a type. */
export function claimsPrefix(type: string): string {
  return `claim.${tokenOf(type)}.`;
}

const longestPlainToken = 128;
const longestEncodedToken = 256;

/** Names of any characters and lengths as a token of a key. Records have the name itself. */
export function tokenOf(name: string): string {
  if (name.length <= longestPlainToken && /^[\w-]+$/.test(name)) return name;
  const encoded = Buffer.from(name).toString("base64url");
  return encoded.length <= longestEncodedToken ? `=${encoded}` : `==${hashOf(name)}`;
}

/** The first 128 bits of SHA-256, in 22 characters. */
export function hashOf(text: string): string {
  return hash("sha256", text, "buffer").subarray(0, 16).toString("base64url");
}
