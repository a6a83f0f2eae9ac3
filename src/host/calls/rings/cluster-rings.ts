import type { Clock, WaitingCall } from "../../../core/internal.ts";
import { encodeFrame, type PeerUnary, parsePath, pathText, peekFrame } from "../../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import type { MutableHostCounters } from "../../counters.ts";
import { limits } from "../../limits.ts";
import type { HostCaller } from "../../peers/host-caller.ts";
import type { ForwardedCall, OthersSeat, RingLink } from "../../peers/other-hosts.ts";
import type { PendingCall } from "../../sessions/pending-call.ts";
import type { CallTable } from "../call-table.ts";
import type { Answers } from "./ring-check.ts";
import { isCallId } from "./ring-check.ts";
import {
  type CheckedWaits,
  type CheckWaits,
  type EndWait,
  encodeCheck,
  encodeChecked,
  encodeEnd,
  readCheck,
  readChecked,
  readEnd,
  ringMethod,
} from "./ring-messages.ts";
import { type ReportingHost, RingSearch } from "./ring-search.ts";
import { ToldWaits, type WaitsListener } from "./told-waits.ts";
import { WaitAnswers } from "./wait-answers.ts";

export interface ClusterRingsParts {
  readonly clock: Clock;
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly calls: Pick<CallTable, "named" | "isOver" | "idTextOf">;
  readonly others: OthersSeat;
  /** Ends the call of a ring, and forgets its report. */
  readonly onRing: (call: PendingCall, ring: string) => void;
}

// protocol.md §12.10
/**
 * The part of a host in the search for rings over the hosts of its cluster. All tell one of them of their waiting calls: the one with the lowest id
 * that is up. That one searches. A lone host does nothing of this.
 */
export class ClusterRings {
  readonly #parts: ClusterRingsParts;
  readonly #told: ToldWaits;
  readonly #answers: WaitAnswers;
  readonly #search: RingSearch;
  readonly #ownReports: ReportingHost;
  /** The host that this one tells, and the way to it. */
  #searching: { readonly hostId: string; readonly link: RingLink | undefined } | undefined;

  constructor(parts: ClusterRingsParts) {
    this.#parts = parts;
    const { clock, batches, counters, calls, others, onRing } = parts;
    this.#told = new ToldWaits({ clock, idTextOf: (call) => calls.idTextOf(call) });
    this.#answers = new WaitAnswers({ calls, told: this.#told, onRing });
    this.#search = new RingSearch({
      ...{ clock, batches, counters },
      ask: (question) => this.#askAll(question),
      end: (hostId, end) => this.#end(hostId, end),
    });
    this.#ownReports = {
      get hostId() {
        return others.now.hostId;
      },
      account: undefined,
    };
  }

  /** Whether this host has joined others: other hosts judge what it does not know of a ring. */
  get isInUse(): boolean {
    return this.#parts.others.now.areThere;
  }

  /** The calls that hosts have told this one. */
  get toldSize(): number {
    return this.#search.size;
  }

  reported(call: PendingCall, waiting: WaitingCall): void {
    if (this.isInUse) this.#told.reported(call, waiting);
  }

  forgotten(call: PendingCall): void {
    this.#told.forgotten(call);
  }

  /** Other hosts are up, or reachable. */
  hostsChanged(): void {
    const { hostId, ringHosts } = this.#parts.others.now;
    const lowest = ringHosts.reduce((one, other) => (other.hostId < one.hostId ? other : one), {
      ...{ hostId, link: undefined as RingLink | undefined },
    });
    const { hostId: before, link } = this.#searching ?? {};
    if (before === lowest.hostId && link === lowest.link) return;
    this.#searching = lowest;
    this.#told.tellTo(lowest.hostId === hostId ? this.#ownListener() : lowest.link && listenerOver(lowest.link));
  }

  /** Takes what another host tells on its link. */
  waitingCame(from: HostCaller, notice: Uint8Array): void {
    const frame = peekFrame(notice);
    if (frame.kind === "unstuck") return this.#search.withdraw(from, frame.requestId);
    const path = frame.kind === "stuck" ? parsePath(frame.path) : [];
    if (frame.kind !== "stuck" || path.length === 0 || !isCallId(frame.requestId)) {
      this.#parts.counters.unmatchedReports += 1;
      return;
    }
    this.#search.report(from, frame.requestId, { path, behind: frame.behind.slice(0, limits.stuckBehind) });
  }

  callerGone(from: HostCaller): void {
    this.#search.hostGone(from);
  }

  /** Answers another host that searches. Undefined: it has asked for something else. */
  answer({ method, request }: PeerUnary, from: string): Uint8Array | RpcError | undefined {
    const isTold = this.#searching?.hostId === from;
    switch (method) {
      case ringMethod.check: {
        const question = readCheck(request);
        return question === undefined ? unreadable() : encodeChecked(this.#answers.check(question, isTold));
      }
      case ringMethod.end: {
        const end = readEnd(request);
        if (end === undefined) return unreadable();
        this.#answers.end(end, isTold);
        return new Uint8Array(0);
      }
      default:
        return undefined;
    }
  }

  #ownListener(): WaitsListener {
    return {
      report: (id, waiting) => this.#search.report(this.#ownReports, id, waiting),
      withdraw: (id) => this.#search.withdraw(this.#ownReports, id),
    };
  }

  get #isOwnSearch(): boolean {
    return this.#searching?.hostId === this.#parts.others.now.hostId;
  }

  async #askAll(question: CheckWaits): Promise<Answers> {
    const { ringHosts } = this.#parts.others.now;
    const request = encodeCheck(question);
    const others = await Promise.all(ringHosts.map(({ hostId }) => this.#ask(hostId, ringMethod.check, request)));
    const read = others.map((answer) => answer && readChecked(answer));
    const known = read.filter((answer): answer is CheckedWaits => answer !== undefined);
    // What this host knows it says last, so that it is as true as what others have said.
    const own = this.#answers.check(question, this.#isOwnSearch);
    return { answers: [own, ...known], isComplete: known.length === ringHosts.length };
  }

  async #end(hostId: string, end: EndWait): Promise<void> {
    if (hostId === this.#parts.others.now.hostId) this.#answers.end(end, this.#isOwnSearch);
    else await this.#ask(hostId, ringMethod.end, encodeEnd(end));
  }

  async #ask(hostId: string, method: string, request: Uint8Array): Promise<Uint8Array | undefined> {
    const call = { method, metadata: {}, peer: "the host", account: undefined, signal: neverAborted };
    const asked: ForwardedCall = { method, clientId: "host", principal: undefined, request, call };
    const answer = await this.#parts.others.now.askHost(hostId, asked, limits.ringAskMs);
    return answer instanceof RpcError ? undefined : answer;
  }
}

const neverAborted = new AbortController().signal;

function listenerOver(link: RingLink): WaitsListener {
  return {
    report: (id, { path, behind }) =>
      link.sendWaiting(encodeFrame({ kind: "stuck", requestId: id, path: pathText(path), behind })),
    withdraw: (id) => link.sendWaiting(encodeFrame({ kind: "unstuck", requestId: id })),
  };
}

function unreadable(): RpcError {
  return new RpcError(StatusCode.invalidArgument, "The question about a ring of calls can't be read.");
}
