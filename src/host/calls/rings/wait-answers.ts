import { hashOfText } from "../../../core/internal.ts";
import { pathText } from "../../../protocol/internal.ts";
import { HostCaller } from "../../peers/host-caller.ts";
import { callerIdText, type PendingCall } from "../../sessions/pending-call.ts";
import type { CallTable } from "../call-table.ts";
import type { AskedWait, CheckedWaits, CheckWaits, EndWait } from "./ring-messages.ts";
import type { ToldWaits } from "./told-waits.ts";

export interface WaitAnswersParts {
  readonly calls: Pick<CallTable, "named" | "isOver">;
  readonly told: ToldWaits;
  /** Ends the call of a ring, and forgets its report. */
  readonly onRing: (call: PendingCall, ring: string) => void;
}

// protocol.md §12.10
/** Tells the host that searches for rings what this host knows of its own calls, and ends one of a ring. */
export class WaitAnswers {
  readonly #parts: WaitAnswersParts;

  constructor(parts: WaitAnswersParts) {
    this.#parts = parts;
  }

  /** `knowsWaits`: this host tells its reports to the host that asks. It confirms them to no other one. */
  check({ waits, calls: ids }: CheckWaits, knowsWaits: boolean): CheckedWaits {
    const { calls } = this.#parts;
    const pending = new Map<string, string>();
    const over: string[] = [];
    for (const id of ids) {
      const call = calls.named(id);
      if (call !== undefined) pending.set(id, call.caller instanceof HostCaller ? callerIdText(call) : "");
      else if (calls.isOver(id)) over.push(id);
    }
    return { waits: waits.map((wait) => (knowsWaits ? this.#versionOf(wait) : 0)), pending, over };
  }

  /** Returns whether it has ended the call. */
  end({ id, version, ring }: EndWait, knowsWaits: boolean): boolean {
    const wait = knowsWaits ? this.#parts.told.get(id) : undefined;
    if (wait?.version !== version) return false;
    this.#parts.onRing(wait.call, ring);
    return true;
  }

  #versionOf({ id, token, pathHash }: AskedWait): number {
    const wait = this.#parts.told.get(id);
    if (wait === undefined || !wait.behind.includes(token) || hashOfText(pathText(wait.path)) !== pathHash) return 0;
    return wait.stillRuns?.(token) === false ? -1 : wait.version;
  }
}
