import type { Failure, KeptFailures } from "../../host/internal.ts";
import type { NewFailure } from "./failure.ts";

export interface FailureRingOptions {
  /** Bytes of all failures. */
  readonly maxBytes?: number;
  /** The wall clock, in milliseconds. */
  readonly nowMs: () => number;
}

/** Bytes of a failure beside its texts. */
const fixedBytes = 400;

interface Group {
  bytes: number;
  readonly failures: Failure[];
  /** Where the oldest stands: those before it are forgotten. */
  at: number;
}

/**
 * The recent failures of a host, within a bound of bytes. Agent types share it: the oldest of the type that has most is forgotten first. So a type
 * that fails all the time hides no other. Failures without an agent type are shared by their kinds in the same way.
 */
export class FailureRing implements KeptFailures {
  readonly #groups = new Map<string, Group>();
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  #bytes = 0;
  #last = 0;
  #forgotten = 0;

  constructor({ maxBytes = 1024 * 1024, nowMs }: FailureRingOptions) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many were forgotten, because there was no space. */
  get forgotten(): number {
    return this.#forgotten;
  }

  add(failure: NewFailure): void {
    this.#last += 1;
    const { type = null, key = null, topic = null, detail = "", clientId = null, traceId = null } = failure;
    const time = new Date(this.#nowMs()).toISOString();
    const { kind, code } = failure;
    const added: Failure = { number: this.#last, time, kind, type, key, topic, code, detail, clientId, traceId };
    const name = groupOf(added);
    const group = this.#groups.get(name) ?? { bytes: 0, failures: [], at: 0 };
    this.#groups.set(name, group);
    group.failures.push(added);
    group.bytes += costOf(added);
    this.#bytes += costOf(added);
    while (this.#bytes > this.#maxBytes) this.#forgetOne();
  }

  /** The failures that `isWanted` admits, newest first. */
  list({ before, limit, isWanted }: Parameters<KeptFailures["list"]>[0]): ReturnType<KeptFailures["list"]> {
    const found = [...this.#groups.values()]
      .flatMap(({ failures, at }) => failures.slice(at).filter((one) => one.number < before && isWanted(one)))
      .sort((one, other) => other.number - one.number);
    const rows = found.slice(0, limit);
    return { rows, next: found.length > limit ? rows.at(-1)?.number : undefined };
  }

  #forgetOne(): void {
    let [most, name] = [undefined as Group | undefined, ""];
    for (const [one, group] of this.#groups)
      if (most === undefined || group.bytes > most.bytes) [most, name] = [group, one];
    const oldest = most?.failures[most.at];
    if (most === undefined || oldest === undefined) return;
    most.at += 1;
    most.bytes -= costOf(oldest);
    this.#bytes -= costOf(oldest);
    this.#forgotten += 1;
    if (most.at === most.failures.length) this.#groups.delete(name);
    else if (2 * most.at > most.failures.length) {
      most.failures.splice(0, most.at);
      most.at = 0;
    }
  }
}

function groupOf({ type, kind }: Failure): string {
  return type === null ? `${kind}` : `${kind} ${type}`;
}

function costOf({ kind, type, key, topic, code, detail, clientId, traceId }: Failure): number {
  const texts = [kind, type, key, topic, code, detail, clientId, traceId];
  return fixedBytes + 2 * texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}
