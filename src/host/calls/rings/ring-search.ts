import { type Clock, type RingPart, RingWatch, type Timer, type WaitingCall } from "../../../core/internal.ts";
import { FairShare, type MemoryAccount } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import type { MutableHostCounters } from "../../counters.ts";
import { limits } from "../../limits.ts";
import { costOfReport } from "./report-cost.ts";
import { type Answers, checkRings, idsIn, isCallId, type RingCall, type SuspectedRing } from "./ring-check.ts";
import type { AskedWait, CheckWaits, EndWait } from "./ring-messages.ts";

/** A host that reports its waiting calls. One that has another link is another one. */
export interface ReportingHost {
  readonly hostId: string;
  /** Holds its reports. Undefined: this host, whose workers pay for them. */
  readonly account: MemoryAccount | undefined;
}

export interface RingSearchParts {
  readonly clock: Clock;
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  /** Asks all hosts. Never rejects. */
  readonly ask: (question: CheckWaits) => Promise<Answers>;
  /** Has a host end a call. Never rejects. */
  readonly end: (hostId: string, end: EndWait) => Promise<void>;
}

/** A call that a host has reported. */
interface ToldCall extends RingCall {
  readonly host: ReportingHost;
  bytes: number;
  waiting: WaitingCall;
  /** Turns for which it waits no more, as its host says. */
  readonly ended: Set<string>;
}

// protocol.md §12.10
/**
 * The search for rings over hosts, at the host that all others tell. A ring that it finds is a suspicion: hosts may have told what is not true any
 * more. While the hosts are asked, the search passes by the call that would fail. If the ring is not true, the call comes back to the search a second
 * later. Reports of one host have a fair share of the memory.
 */
export class RingSearch {
  readonly #parts: RingSearchParts;
  readonly #calls = new Map<ReportingHost, Map<string, ToldCall>>();
  readonly #share = new FairShare(limits.toldWaitBytes);
  readonly #watch: RingWatch<ToldCall>;
  /** Calls that are over for good: hosts have said so. */
  readonly #over = new Set<string>();
  /** Rings that wait for their question, and how many request ids they name. */
  readonly #suspected: SuspectedRing<ToldCall>[] = [];
  #suspectedIds = 0;
  /** Calls that come back to the search. */
  #aside = new Set<ToldCall>();
  #timer: Timer | undefined;
  #isChecking = false;

  constructor(parts: RingSearchParts) {
    this.#parts = parts;
    this.#watch = new RingWatch({
      maxCalls: Number.POSITIVE_INFINITY,
      isOver: ({ token }) => !isCallId(token) || this.#over.has(token),
      onRing: (last, text, ring) => this.#suspect({ last, text, parts: ring }),
      work: ({ host }, tasks) => parts.batches.add(host, tasks, host.account?.party),
    });
  }

  /** The calls that hosts have reported now. */
  get size(): number {
    let size = 0;
    for (const calls of this.#calls.values()) size += calls.size;
    return size;
  }

  /** A host reports a call, or reports it anew. */
  report(host: ReportingHost, id: string, waiting: WaitingCall): void {
    const calls = this.#calls.get(host) ?? new Map<string, ToldCall>();
    const known = calls.get(id);
    if (known !== undefined) this.#release(known);
    const bytes = costOfReport(waiting);
    const hasPlace = calls.size < limits.stuckCalls || known !== undefined;
    if (!hasPlace || !this.#share.mayAdd(host.hostId, bytes) || host.account?.take(bytes) === false) {
      this.#parts.counters.unwatchedCalls += 1;
      if (known !== undefined) this.#forget(known, calls);
      return;
    }
    this.#share.add(host.hostId, bytes);
    const call = known ?? { host, id, bytes, waiting, ended: new Set<string>() };
    call.bytes = bytes;
    call.ended.clear();
    call.waiting = { ...waiting, stillRuns: (token) => !call.ended.has(token) };
    this.#calls.set(host, calls.set(id, call));
    this.#aside.delete(call);
    this.#watch.report(call, call.waiting);
  }

  /** A call does not wait any more; an unknown one is fine. */
  withdraw(host: ReportingHost, id: string): void {
    const calls = this.#calls.get(host);
    const call = calls?.get(id);
    if (calls === undefined || call === undefined) return;
    this.#release(call);
    this.#forget(call, calls);
  }

  /** The host is gone, or its link: what it has reported counts no more. */
  hostGone(host: ReportingHost): void {
    const calls = this.#calls.get(host);
    if (calls === undefined) return;
    for (const call of calls.values()) {
      this.#release(call);
      this.#forget(call, calls);
    }
  }

  #forget(call: ToldCall, calls: Map<string, ToldCall>): void {
    calls.delete(call.id);
    if (calls.size === 0) this.#calls.delete(call.host);
    this.#aside.delete(call);
    this.#watch.withdraw(call);
  }

  #release({ host, bytes }: ToldCall): void {
    this.#share.remove(host.hostId, bytes);
    host.account?.release(bytes);
  }

  #isTold(call: ToldCall): boolean {
    return this.#calls.get(call.host)?.get(call.id) === call;
  }

  #suspect(ring: SuspectedRing<ToldCall>): void {
    // The time limit of its calls is the bound of a ring that is too long to ask for.
    const ids = idsIn(ring);
    if (ids > limits.ringCheckIds) {
      this.#parts.counters.unwatchedCalls += 1;
      return;
    }
    // Hosts may tell of new rings faster than all of them answer.
    if (this.#suspectedIds + ids > limits.suspectedRingIds) return this.#putAside(ring.last);
    this.#suspectedIds += ids;
    this.#suspected.push(ring);
    if (!this.#isChecking) void this.#check();
  }

  async #check(): Promise<void> {
    this.#isChecking = true;
    for (let rings = this.#nextRings(); rings.length > 0; rings = this.#nextRings()) {
      const { versions, over, ended } = await checkRings(rings, this.#parts.ask);
      for (const id of over) this.#noteOver(id);
      this.#noteEnded(rings, ended);
      await Promise.all(rings.map((ring, index) => this.#judge(ring, versions[index])));
    }
    this.#isChecking = false;
  }

  /** Takes as many rings as one question can name. */
  #nextRings(): readonly SuspectedRing<ToldCall>[] {
    let [count, all] = [0, 0];
    for (const ring of this.#suspected) {
      const ids = idsIn(ring);
      if (all + ids > limits.ringCheckIds) break;
      all += ids;
      count += 1;
    }
    this.#suspectedIds -= all;
    return this.#suspected.splice(0, count);
  }

  async #judge({ last, text }: SuspectedRing<ToldCall>, version: number | undefined): Promise<void> {
    if (version !== undefined) await this.#parts.end(last.host.hostId, { id: last.id, version, ring: text });
    // A call that has ended is withdrawn by then.
    this.#putAside(last);
  }

  /** The call comes back to the search in a moment. */
  #putAside(call: ToldCall): void {
    if (!this.#isTold(call) || this.#watch.has(call)) return;
    this.#aside.add(call);
    this.#timer ??= this.#parts.clock.setTimer(limits.ringAgainMs, () => this.#searchAgain());
  }

  #searchAgain(): void {
    this.#timer = undefined;
    const calls = this.#aside;
    this.#aside = new Set();
    for (const call of calls) this.#watch.report(call, call.waiting);
  }

  #noteOver(id: string): void {
    this.#over.add(id);
    // Ids never come again, so that an old one is only found out anew.
    for (const oldest of this.#over) {
      if (this.#over.size <= limits.knownOverCalls) break;
      this.#over.delete(oldest);
    }
  }

  #noteEnded(rings: readonly SuspectedRing<ToldCall>[], ended: readonly AskedWait[]): void {
    if (ended.length === 0) return;
    const names = new Set(ended.map(({ id, token }) => `${id} ${token}`));
    const parts: readonly RingPart<ToldCall>[] = rings.flatMap((ring) => ring.parts);
    for (const { from, token } of parts) if (names.has(`${from.id} ${token}`)) from.ended.add(token);
  }
}
