import { whyInvalidLabels } from "../../../core/internal.ts";
import { mostIdentityChars, type WirePattern, type WorkerHere } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../../transport/internal.ts";
import { limits } from "../../limits.ts";
import { topicOf, whyInvalidAgentType, whyTooLong } from "../../registry/name-checks.ts";

/** How much one other host may tell of who and what is there. */
export interface TellingBounds {
  readonly maxWorkers: number;
  readonly maxPatterns: number;
  /** Bytes of all that. */
  readonly maxBytes: number;
}

/** Memory of a worker, and of a pattern, beside the names: measured with 50 000 of each and rounded up. */
const workerBytes = 1_500;
const labelBytes = 100;
const exactBytes = 750;
const prefixBytes = 1_000;

/** A character of a name. The indexes write the names of patterns a second time. */
const nameCost = 2;
const indexedCost = 4;

/** Counts the workers and subscriptions that another host has told on one link, within its bounds. Methods that take return why the host can't keep more; undefined: it is counted. */
export class ToldBounds {
  readonly #bounds: TellingBounds;
  readonly #account: MemoryAccount;
  #workers = 0;
  #patterns = 0;
  #bytes = 0;

  constructor(bounds: TellingBounds, account: MemoryAccount) {
    this.#bounds = bounds;
    this.#account = account;
  }

  takeWorker(bytes: number): string | undefined {
    const { maxWorkers } = this.#bounds;
    if (this.#workers >= maxWorkers) return `it tells of more than ${maxWorkers} workers (maxSessions)`;
    const refusal = this.#take(bytes);
    if (refusal === undefined) this.#workers += 1;
    return refusal;
  }

  leaveWorker(bytes: number): void {
    this.#workers -= 1;
    this.#leave(bytes);
  }

  takePattern(bytes: number): string | undefined {
    const { maxPatterns } = this.#bounds;
    if (this.#patterns >= maxPatterns) return `it tells of more than ${maxPatterns} subscriptions (maxSubscriptions)`;
    const refusal = this.#take(bytes);
    if (refusal === undefined) this.#patterns += 1;
    return refusal;
  }

  leavePattern(bytes: number): void {
    this.#patterns -= 1;
    this.#leave(bytes);
  }

  #take(bytes: number): string | undefined {
    const isWithin = this.#bytes + bytes <= this.#bounds.maxBytes;
    if (!isWithin || !this.#account.take(bytes)) {
      return "this host has no space for the workers and subscriptions that it tells (maxMemoryBytes)";
    }
    this.#bytes += bytes;
    return undefined;
  }

  #leave(bytes: number): void {
    this.#bytes -= bytes;
    this.#account.release(bytes);
  }
}

/** The memory of a worker that another host tells. */
export function costOfWorker({ clientId, worker }: WorkerHere): number {
  const labels = Object.entries(worker.labels);
  const texts = [clientId, worker.id, worker.name, worker.version ?? "", ...labels.flat()];
  return workerBytes + labelBytes * labels.length + nameCost * charsOf(texts);
}

/** The memory of a pattern that another host tells. */
export function costOfPattern(pattern: WirePattern): number {
  const fixed = pattern.kind === "prefix" ? prefixBytes : exactBytes;
  return fixed + indexedCost * charsOf([pattern.agentType, topicOf(pattern)]);
}

/** Returns why no worker that a host lets in is such a one; undefined if one may be. */
export function whyNoWorker({ clientId, worker }: WorkerHere): string | undefined {
  const { id, name, version = "", labels } = worker;
  if (clientId === "" || id === "") return "it tells of a worker without an id";
  const longest = Math.max(
    ...[id, name].filter((text) => text !== clientId).map(({ length }) => length),
    version.length,
  );
  const isLong = whyTooLong(clientId) !== undefined || longest > mostIdentityChars;
  if (isLong) return "it tells of a worker whose name is too long";
  return whyInvalidLabels(labels) === undefined ? undefined : "it tells of a worker whose labels are not valid";
}

/** Returns why no host takes a subscription with such a pattern; undefined if one may. */
export function whyNoPattern(pattern: WirePattern): string | undefined {
  const isValid = whyInvalidAgentType(pattern.agentType) === undefined;
  if (isValid && whyTooLong(pattern.agentType, topicOf(pattern)) === undefined) return undefined;
  return "it tells of a subscription whose names are not valid";
}

/** Returns why a host can't have such an id; undefined if it can. */
export function whyNoHostId(hostId: string): string | undefined {
  if (hostId === "") return "it names no host id";
  return hostIdText.test(hostId)
    ? undefined
    : `it names a host id that is not 1 to ${limits.hostIdChars} printable characters`;
}

const hostIdText = new RegExp(`^[\\x21-\\x7e]{1,${limits.hostIdChars}}$`);

function charsOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
