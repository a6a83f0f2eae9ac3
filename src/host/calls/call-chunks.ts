import { type Clock, largestWindowBytes } from "../../core/internal.ts";
import {
  type CreditFrame,
  encodeFrame,
  type PeekedChunk,
  type PeekedResponse,
  spliceChunk,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { Overuse } from "../quotas/usage.ts";
import type { Peer } from "../sessions/peer.ts";
import type { CallStream, PendingCall } from "../sessions/pending-call.ts";
import type { CallEnds } from "./call-ends.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallTable } from "./call-table.ts";
import { isOn } from "./calls-elsewhere.ts";

export interface CallChunksParts {
  readonly calls: CallTable;
  readonly ends: CallEnds;
  readonly counters: MutableHostCounters;
  readonly clock: Clock;
}

// protocol.md §11.21
/**
 * Passes the chunks of answers on to their readers, and grants back. The host keeps no chunk: it stands in the reader's queue, where it takes the
 * space of a call. No target sends more than its reader has granted.
 */
export class CallChunks {
  readonly #parts: CallChunksParts;

  constructor(parts: CallChunksParts) {
    this.#parts = parts;
  }

  /** Takes a chunk that a worker has sent. */
  take(from: Peer, chunk: PeekedChunk): void {
    const call = this.#parts.calls.answeredBy(chunk);
    if (call === undefined || call.target === from) this.#take(call, from, chunk);
    else this.#parts.counters.strayChunks += 1;
  }

  // protocol.md §2.5
  /** A worker may not send a chunk, since it has sent too much: the stream ends. Its caller does not send the call again. */
  refuse(from: Peer, chunk: PeekedChunk, { text }: Overuse): void {
    const call = this.#parts.calls.answeredBy(chunk);
    if (call === undefined) this.#parts.counters.lateChunks += 1;
    else if (call.target !== from || call.stream === undefined) this.#parts.counters.strayChunks += 1;
    else this.end(call, callFailure.chunkOverQuota(call.targetType, text));
  }

  // protocol.md §12.2
  /** Takes a chunk that came on the link to another host. */
  takeFrom(link: CallLink, chunk: PeekedChunk): void {
    const call = this.#parts.calls.answeredBy(chunk);
    if (call === undefined || isOn(link, call)) this.#take(call, call?.target, chunk);
    else this.#parts.counters.strayChunks += 1;
  }

  #take(call: PendingCall | undefined, from: Peer | undefined, chunk: PeekedChunk): void {
    const { counters, clock } = this.#parts;
    if (call === undefined) {
      counters.lateChunks += 1;
      return;
    }
    const { stream } = call;
    if (from === undefined || stream === undefined) {
      counters.strayChunks += 1;
      return;
    }
    if (stream.isCut) {
      counters.lateChunks += 1;
      return;
    }
    if (stream.sentBytes >= stream.grantedBytes) return this.end(call, callFailure.notGranted(call.targetType));
    stream.sentBytes += chunk.dataBytes + overheadBytes;
    stream.movedMs = clock.now();
    switch (call.caller.send(spliceChunk(chunk, call.callerId), "chunk", from)) {
      case "queued":
        stream.chunks += 1;
        counters.chunks += 1;
        counters.chunkBytes += chunk.bytes.length;
        if (stream.answer !== undefined && stream.answer.chunks <= stream.chunks) return this.#parts.ends.answer(call);
        if (stream.askedBytes > stream.grantedBytes) this.#passOn(call, stream, from);
        return;
      case "full":
        return this.end(call, callFailure.noRoomForChunk(call.targetType));
      case "too-large": {
        const { maxFrameBytes } = call.caller.traits;
        return this.end(call, callFailure.answerTooLarge(call.targetType, chunk.bytes.length, maxFrameBytes));
      }
      case "closed":
        // The end of the caller's channel ends the call.
        counters.lateChunks += 1;
    }
  }

  /**
   * Keeps an answer that rides on a commit and has overtaken its chunks: they come by the data channel. It leaves behind the last of them, or when
   * the call ends otherwise. False: no chunk is missing, or none can come any more.
   */
  keepAnswer(call: PendingCall, from: Peer, response: PeekedResponse): boolean {
    const { stream } = call;
    if (stream === undefined || stream.chunks >= response.chunks || stream.isCut || !from.isOpen) return false;
    if (stream.answer === undefined) {
      // The bytes are a part of the commit, which is longer.
      stream.answer = { ...response, bytes: new Uint8Array(response.bytes) };
      from.account.add(response.bytes.length);
    } else this.#parts.counters.strayAnswers += 1;
    return true;
  }

  /** Takes a grant of a caller. */
  grant(caller: Peer, { requestId, bytes }: CreditFrame): void {
    const { clock } = this.#parts;
    const call = caller.traits.isAnnounced ? caller.outgoingCalls.named(requestId) : undefined;
    const { stream, target } = call ?? {};
    // The answer and the last grant cross on their way.
    if (call === undefined || stream === undefined || target === undefined || bytes <= stream.askedBytes) return;
    stream.askedBytes = bytes;
    stream.movedMs = clock.now();
    this.#passOn(call, stream, target);
  }

  /**
   * Passes on what the reader grants, past all that waits at the target, since its handler may hold the slot for which that waits. A grant
   * that adds less than the target may still send waits for its next chunk. So a reader that grants in tiny steps does not fill the queue of
   * the target. One that grants without end lets the target send a bounded part.
   */
  #passOn(call: PendingCall, stream: CallStream, target: Peer): void {
    const { calls, counters } = this.#parts;
    const bytes = Math.min(stream.askedBytes, stream.sentBytes + largestWindowBytes);
    const added = bytes - stream.grantedBytes;
    if (added <= 0 || added < stream.grantedBytes - stream.sentBytes) return;
    stream.grantedBytes = bytes;
    const notice = encodeFrame({ kind: "credit", requestId: calls.idTextOf(call), bytes });
    if (target.notify(notice, call.caller) !== "full") return;
    counters.lostNotices += 1;
    // A worker whose queue is full has grants to use, or is cut off. A link lives on, and nothing would make the grant good.
    if (target instanceof WorkerElsewhere) this.end(call, callFailure.noRoomForGrant(call.targetType));
  }

  /** Ends a stream, and the handler of its target. A commit that is not decided decides the call, too: it continues without chunks. */
  end(call: PendingCall, failure: CallFailure): void {
    const { calls, ends } = this.#parts;
    if (call.commits > 0 && call.stream !== undefined) {
      call.stream.isCut = true;
      return;
    }
    if (!calls.take(call)) return;
    ends.tellTarget(call, "cancelled");
    ends.fail(call, failure);
  }
}

/** Bytes that a chunk counts beside its data. */
const overheadBytes = 64;
