import type { Clock } from "../../core/internal.ts";
import { metadataKey } from "../../protocol/internal.ts";
import type { Quotas } from "../../security/internal.ts";
import { type AddressBounds, RpcError, type SharedBound, StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { Principal } from "../principal.ts";
import { KeptBound } from "./kept-bound.ts";
import type { Countable, Overuse, Usage } from "./usage.ts";
import { UsageTable } from "./usage-table.ts";

export interface QuotaCheckParts {
  readonly quotas: Quotas;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
}

// protocol.md §2.5
/** Holds callers to the quotas of the host. It counts and reports what it refuses. */
export class QuotaCheck implements AddressBounds {
  readonly #parts: QuotaCheckParts;
  readonly #table: UsageTable;

  constructor(parts: QuotaCheckParts) {
    this.#parts = parts;
    this.#table = new UsageTable(parts.quotas, parts.clock);
  }

  /** Usages that the host keeps. */
  get usages(): number {
    return this.#table.size;
  }

  /** The quota of a caller. `party`: its peer address. */
  of(principal: Principal | undefined, party: string): CallerQuota {
    const ofAddress = this.#table.ofAddress(party);
    const usages = principal === undefined ? [ofAddress] : [this.#table.ofPrincipal(principal), ofAddress];
    return new CallerQuota(usages, { ...this.#parts, table: this.#table });
  }

  /**
   * Throws `RpcError` for an address that has sent too much: its callers are not even asked who they are. A refused call counts as a message of its
   * address, so that an address can't guess tokens for long.
   */
  assertMayAsk(party: string): void {
    const quota = this.of(undefined, party);
    const overuse = quota.whyNotMessages(1, 0, { clientId: undefined, isTaken: false });
    quota.settle();
    if (overuse !== undefined) throw refusalOf(overuse);
  }

  mayConnect(party: string, open: number): boolean {
    const usage = this.#table.ofAddress(party);
    this.#refresh(usage);
    const overuse = usage.whyNotConnect(open);
    if (overuse !== undefined) noteRefusal(usage, overuse, { ...this.#parts, clientId: undefined });
    this.#table.settle(usage);
    return overuse === undefined;
  }

  keptBy(party: string): SharedBound {
    return this.#keptBound(this.#table.ofAddress(party));
  }

  /** The bound of what a principal makes the host keep. */
  keptByPrincipal(principal: Principal): SharedBound {
    return this.#keptBound(this.#table.ofPrincipal(principal));
  }

  #keptBound(of: Usage): SharedBound {
    return new KeptBound(of, {
      refresh: (usage) => this.#refresh(usage),
      settle: (usage) => this.#table.settle(usage),
      onRefused: (usage, overuse) => noteRefusal(usage, overuse, { ...this.#parts, clientId: undefined }),
    });
  }

  #refresh(usage: Usage): void {
    usage.refresh(this.#parts.quotas.revision, this.#parts.clock);
  }

  /** Takes one message of a caller that has no session at hand from its quota, or says why it can't. It takes no lot for later messages. */
  whyNotSend({ principal, party, clientId }: SeldomCaller, bytes: number): Overuse | undefined {
    const quota = this.of(principal, party);
    const overuse = quota.whyNotMessages(1, bytes, { clientId, isTaken: false });
    if (overuse === undefined) quota.charge(1, bytes);
    else quota.settle();
    return overuse;
  }

  /** Does the same, and throws `RpcError` if the caller has sent too much. */
  assertMaySend(caller: SeldomCaller, bytes: number): void {
    const overuse = this.whyNotSend(caller, bytes);
    if (overuse !== undefined) throw refusalOf(overuse);
  }

  /** A call from this address was refused for who made it. */
  denied(party: string): void {
    this.of(undefined, party).charge(1, 0);
  }
}

/** The caller of a unary call or of a control request. `party`: its peer address. */
export interface SeldomCaller {
  readonly principal: Principal | undefined;
  readonly party: string;
  readonly clientId: string | undefined;
}

export interface CallerQuotaParts extends QuotaCheckParts {
  readonly table: UsageTable;
}

/** The caller of something that a quota is asked for. */
export interface QuotaCaller {
  readonly clientId: string | undefined;
  /** False: the messages are not taken from the quota. Default: true. */
  readonly isTaken?: boolean;
}

/** The quota of one caller: its principal and its address both must allow what it does. */
export class CallerQuota {
  #usages: readonly Usage[];
  readonly #parts: CallerQuotaParts;
  /** Messages and bytes that are taken from the quotas already, and not sent. */
  #messages = 0;
  #bytes = 0;

  constructor(usages: readonly Usage[], parts: CallerQuotaParts) {
    this.#usages = usages;
    this.#parts = parts;
  }

  /** Takes so many messages from the quota, or says why it can't. */
  whyNotMessages(count: number, bytes: number, caller: QuotaCaller): Overuse | undefined {
    if (count <= this.#messages && bytes <= this.#bytes && caller.isTaken !== false) {
      this.#messages -= count;
      this.#bytes -= bytes;
      return undefined;
    }
    return this.#whyNotAsked(count, bytes, caller);
  }

  #whyNotAsked(count: number, bytes: number, caller: QuotaCaller): Overuse | undefined {
    const { quotas, clock } = this.#parts;
    const { revision } = quotas;
    let nowMs: number | undefined;
    for (const usage of this.#usages) {
      usage.refresh(revision, clock);
      if (!usage.limitsMessages) continue;
      nowMs ??= clock.now();
      const overuse = usage.whyNotMessages(count, bytes, nowMs);
      if (overuse !== undefined) return this.#refused(usage, overuse, caller);
    }
    if (caller.isTaken === false) return undefined;
    for (const usage of this.#usages) usage.takeMessages(count, bytes);
    this.#stock(nowMs);
    return undefined;
  }

  /** Takes a lot for later messages, if there is as much. */
  #stock(nowMs: number | undefined): void {
    let [messages, bytes]: [number, number] = [limits.quotaLot, Number.POSITIVE_INFINITY];
    for (const { lot } of this.#usages) {
      messages = Math.min(messages, lot.messages);
      bytes = Math.min(bytes, lot.bytes);
    }
    messages = Math.max(0, messages - this.#messages);
    // Without a quota of bytes there is nothing to take.
    const isFree = bytes === Number.POSITIVE_INFINITY;
    if (!isFree && this.#bytes === Number.POSITIVE_INFINITY) this.#bytes = 0;
    const more = isFree ? 0 : Math.max(0, bytes - this.#bytes);
    if (messages === 0 || (!isFree && more === 0)) return;
    if (nowMs !== undefined)
      for (const usage of this.#usages) if (usage.whyNotMessages(messages, more, nowMs) !== undefined) return;
    for (const usage of this.#usages) usage.takeMessages(messages, more);
    this.#messages += messages;
    this.#bytes = isFree ? Number.POSITIVE_INFINITY : this.#bytes + more;
  }

  /** Takes messages from the quota that were refused for another reason. */
  charge(count: number, bytes: number): void {
    const { quotas, clock, table } = this.#parts;
    for (const usage of this.#usages) {
      usage.refresh(quotas.revision, clock);
      usage.takeMessages(count, bytes);
      table.settle(usage);
    }
  }

  /** Says why the caller may not have one more. */
  whyNotMore(what: Countable, caller: QuotaCaller): Overuse | undefined {
    const { quotas, clock } = this.#parts;
    if (what !== "calls") this.#renew();
    let overuse: Overuse | undefined;
    for (const usage of this.#usages) {
      // The message of a call has asked for the limits.
      if (what !== "calls") usage.refresh(quotas.revision, clock);
      const why = overuse === undefined ? usage.whyNotMore(what) : undefined;
      if (why !== undefined) overuse = this.#refused(usage, why, caller);
    }
    if (what !== "calls") this.settle();
    return overuse;
  }

  /** Forgets what need not be kept of a caller that has nothing here. */
  settle(): void {
    for (const usage of this.#usages) this.#parts.table.settle(usage);
  }

  /** Throws `RpcError` if the caller may not have one more. */
  assertMayHaveMore(what: Countable, caller: QuotaCaller): void {
    const overuse = this.whyNotMore(what, caller);
    if (overuse !== undefined) throw refusalOf(overuse);
  }

  /** The caller has one more, or so many; a number below 0: so many less. */
  count(what: Exclude<Countable, "channels">, difference = 1): void {
    if (what !== "calls") this.#renew();
    for (const usage of this.#usages) {
      usage[what] += difference;
      // Nearly all calls come and go while their caller has a channel.
      if (what !== "calls" || usage.isUnused) this.#parts.table.settle(usage);
    }
  }

  channelOpened(): void {
    this.#renew();
    const nowMs = this.#parts.clock.now();
    for (const usage of this.#usages) {
      usage.channelOpened(nowMs);
      this.#parts.table.settle(usage);
    }
  }

  channelClosed(): void {
    const { clock, table } = this.#parts;
    const nowMs = clock.now();
    for (const [index, usage] of this.#usages.entries()) {
      // Only the first is ever asked whether it is known: the address of a principal takes no space for that.
      usage.channelClosed(nowMs, index === 0 && table.remembers);
      table.settle(usage);
    }
  }

  /** Whether its principal, or the address of an anonymous caller, is known. */
  get isKnown(): boolean {
    return this.#usages[0]?.isKnown(this.#parts.clock.now()) === true;
  }

  /** The table may have forgotten a usage since, because it had nothing at the host. Takes the one that all callers of its name share. */
  #renew(): void {
    const { table } = this.#parts;
    this.#usages = this.#usages.map((usage) => table.current(usage));
  }

  #refused(usage: Usage, overuse: Overuse, { clientId }: QuotaCaller): Overuse {
    noteRefusal(usage, overuse, { ...this.#parts, clientId });
    return overuse;
  }
}

interface RefusalParts extends Pick<QuotaCheckParts, "counters" | "observers" | "clock"> {
  readonly clientId: string | undefined;
}

/** Counts a refusal, and reports it if none of this usage was reported lately. */
function noteRefusal(usage: Usage, { text }: Overuse, { counters, observers, clock, clientId }: RefusalParts): void {
  counters.refusedByQuota += 1;
  const nowMs = clock.now();
  if (nowMs - usage.reportedAtMs < limits.quotaReportMs) return;
  usage.reportedAtMs = nowMs;
  observers.now?.({ at: "limited", what: "quota", clientId, detail: `${usage.key.slice(1)}: ${text}` });
}

/** The status of a stream or a unary call that a quota refuses. */
function refusalOf({ text, retryMs }: Overuse): RpcError {
  const metadata = retryMs === undefined ? undefined : { [metadataKey.retryMs]: String(retryMs) };
  return new RpcError(StatusCode.resourceExhausted, text, { metadata });
}
