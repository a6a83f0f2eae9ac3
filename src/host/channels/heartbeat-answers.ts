import type { Clock } from "../../core/internal.ts";
import { encodeFrame, type HeartbeatFrame } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import { heartbeatAnswer } from "../sessions/heartbeat-answer.ts";
import type { Peer } from "../sessions/peer.ts";
import type { SenderWaits } from "../sessions/sender-waits.ts";

export interface HeartbeatAnswersParts {
  readonly others: OthersSeat;
  /** Messages that wait here, by their senders. */
  readonly senderWaits: Pick<SenderWaits, "whenOver">;
  readonly clock: Clock;
  /** Whether the worker moves from this channel to another host. */
  readonly isMoving: (peer: Peer) => boolean;
  /** Milliseconds of the lease that the worker gets; 0: none. */
  readonly leaseOf: (peer: Peer) => number;
}

/** Answers that wait, of one worker. A worker asks once a second. */
const mostWaiting = 16;

// protocol.md §11.12, §11.19
/**
 * Answers heartbeats of workers on their data channels. One of a worker that moves to another host waits until the other hosts have read
 * what this host has sent them. Before that, what the worker has sent has left the host: it may wait for the place of its agent. So nothing that
 * the worker sends by its next host comes before.
 */
export class HeartbeatAnswers {
  readonly #parts: HeartbeatAnswersParts;
  /** The heartbeats of each worker that moves: those for which the others are asked, and those that came since. */
  readonly #waiting = new WeakMap<Peer, HeartbeatFrame[]>();

  constructor(parts: HeartbeatAnswersParts) {
    this.#parts = parts;
  }

  answer(peer: Peer, frame: HeartbeatFrame): void {
    const { others, isMoving } = this.#parts;
    if (frame.isAnswer || !others.now.areThere || !isMoving(peer)) return this.#send(peer, frame);
    const waiting = this.#waiting.get(peer);
    if (waiting === undefined) return this.#askOthers(peer, [frame]);
    if (waiting.length < mostWaiting) waiting.push(frame);
    else this.#send(peer, frame);
  }

  #askOthers(peer: Peer, frames: readonly HeartbeatFrame[]): void {
    const later: HeartbeatFrame[] = [];
    this.#waiting.set(peer, later);
    void this.#left(peer).then(() => {
      this.#waiting.delete(peer);
      for (const frame of frames) this.#send(peer, frame);
      if (later.length > 0) this.#askOthers(peer, later);
    });
  }

  /** Resolves when other hosts have read all that the worker has sent, or when the time is up. */
  async #left({ account }: Peer): Promise<void> {
    const { senderWaits, clock, others } = this.#parts;
    await new Promise<void>((resolve) => {
      const end = senderWaits.whenOver(account, () => {
        timer.cancel();
        resolve();
      });
      if (end === undefined) return resolve();
      const timer = clock.setTimer(limits.readByOthersMs, () => {
        end();
        resolve();
      });
    });
    await others.now.wasRead();
  }

  /** In the same stream; it counts nothing. The bytes of a worker's answer have shown already that it lives. */
  #send(peer: Peer, frame: HeartbeatFrame): void {
    const answer = heartbeatAnswer(frame, () => this.#parts.leaseOf(peer));
    if (answer !== undefined) peer.send(encodeFrame(answer), "heartbeat");
  }
}
