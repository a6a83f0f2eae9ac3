import type { BatchRunner } from "../batch-runner.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import type { CallEnds } from "./call-ends.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallTable } from "./call-table.ts";

export interface CallEndingsParts {
  readonly calls: CallTable;
  readonly batches: BatchRunner;
  readonly ends: CallEnds;
}

/** Ends many calls at once: those of a worker that is gone, and all of a host that ends. They may be thousands. */
export class CallEndings {
  readonly #parts: CallEndingsParts;

  constructor(parts: CallEndingsParts) {
    this.#parts = parts;
  }

  /** Forgets the calls that a worker made, and fails those that it has not answered. */
  ofPeer(peer: Peer, failure: (agentType: string) => CallFailure): void {
    this.#parts.batches.add(peer.id, this.#endingsOf(peer, failure), peer.account.party);
  }

  // protocol.md §11.17
  /** Fails the calls to agents of shared types that a worker has, which has lost its claims. */
  ofRevoked(peer: Peer, isShared: (agentType: string) => boolean): void {
    this.#parts.batches.add(peer.id, this.#revocationsOf(peer, isShared), peer.account.party);
  }

  // protocol.md H21
  /** Ends all calls: at once if they are few, else in batches. Then the promise resolves when all have their outcome. */
  ofAll(): Promise<void> | undefined {
    const { calls, batches } = this.#parts;
    const all = calls.all();
    if (all.length > limits.batchSize) {
      return new Promise((resolve) => {
        batches.add(this, this.#cuttings(all, resolve));
      });
    }
    for (const call of all) this.cutShort(call);
    calls.close();
    return undefined;
  }

  /** Ends a call because the host ends. */
  cutShort(call: PendingCall): void {
    if (call.commits > 0) return;
    this.#parts.ends.end(call, call.target === undefined ? callFailure.shuttingDown() : callFailure.cutShort());
  }

  *#endingsOf(peer: Peer, failure: (agentType: string) => CallFailure): Iterable<() => void> {
    const { ends } = this.#parts;
    for (const call of peer.outgoingCalls.all()) yield () => ends.abandon(call, "caller-gone");
    for (const call of peer.incomingCalls.all()) {
      yield () => {
        if (call.commits === 0 && call.target === peer) ends.end(call, failure(call.targetType));
      };
    }
  }

  *#revocationsOf(peer: Peer, isShared: (agentType: string) => boolean): Iterable<() => void> {
    const { calls, ends } = this.#parts;
    for (const call of peer.incomingCalls.all()) {
      yield () => {
        if (call.target !== peer || call.commits > 0 || !calls.has(call) || !isShared(call.targetType)) return;
        ends.tellTarget(call, "cancelled");
        ends.end(call, callFailure.revoked(call.targetType));
      };
    }
  }

  *#cuttings(calls: readonly PendingCall[], resolve: () => void): Iterable<() => void> {
    for (const call of calls) yield () => this.cutShort(call);
    this.#parts.calls.close();
    resolve();
  }
}
