import {
  type Clock,
  type Epoch,
  followAbort,
  type MakeId,
  NotAccessibleError,
  TroupeError,
  UndeliverableException,
  unfollowAbort,
} from "../../core/internal.ts";
import {
  agentDestination,
  type ControlAnswer,
  type ControlEnvelope,
  type ControlRequest,
  clientDestination,
  encodeControl,
  isControlRequest,
  parseControlError,
  withControlEpoch,
} from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { ControlPeer } from "./control-peer.ts";

/** A request of the host that waits for its answer. */
interface HostAsk {
  readonly target: ControlPeer;
  readonly settle: (outcome: ControlAnswer | Error) => void;
}

export interface HostAsksParts {
  readonly clock: Clock;
  readonly makeId: MakeId;
}

export interface HostAskOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  // protocol.md §11.17
  /** The epoch of the agent's claim. Undefined: its type is exclusive. */
  readonly epoch?: Epoch | undefined;
}

/** Where the answers go. The host takes them before it looks for a client of this name. */
const replyTo = clientDestination("troupe.host");

// protocol.md §11.8
/** Requests on the control channel that the host makes itself, for its operator. A worker sees them as those of another worker. */
export class HostAsks {
  readonly #parts: HostAsksParts;
  /** By rpc id, which no client can guess. */
  readonly #waiting = new Map<string, HostAsk>();

  constructor(parts: HostAsksParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Asks the worker of a control channel for something about an agent. Rejects with the worker's code and text if it fails; without a code
   * as `not-accessible`. Rejects as `timed-out`, as `disconnected` when the channel ends, and with the reason of `signal`.
   */
  async ask(
    target: ControlPeer,
    request: ControlRequest,
    { timeoutMs, signal, epoch }: HostAskOptions,
  ): Promise<ControlAnswer> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= limits.hostAsks) {
      throw new TroupeError(
        "overloaded",
        `${this.#waiting.size} requests of the host wait for answers. Try again later.`,
      );
    }
    const rpcId = this.#parts.makeId();
    const destination = request.agentId === undefined ? "" : agentDestination(request.agentId);
    const outcome = await new Promise<ControlAnswer | Error>((settle) => {
      const abort = (): void => this.#settle(rpcId, TroupeError.from(signal?.reason));
      const text = `Worker ${target.id} has not answered in ${timeoutMs / 1_000} s. Look at its log; ask again, or stop it.`;
      const timer = this.#parts.clock.setTimer(timeoutMs, () =>
        this.#settle(rpcId, new TroupeError("timed-out", text)),
      );
      this.#waiting.set(rpcId, {
        target,
        settle: (settled) => {
          timer.cancel();
          unfollowAbort(signal, abort);
          settle(settled);
        },
      });
      followAbort(signal, abort);
      const bytes = encodeControl({ rpcId, destination, respondTo: replyTo, body: request });
      if (!target.send(epoch === undefined ? bytes : withControlEpoch(bytes, epoch))) {
        const why = `The control channel of worker ${target.id} takes nothing now. Try again later.`;
        this.#settle(rpcId, new UndeliverableException(why, { code: "overloaded", notHandled: true }));
      }
    });
    if (outcome instanceof Error) throw outcome;
    const error = outcome.error ?? "";
    if (error === "") return outcome;
    const { code, text } = parseControlError(error);
    const ofWorker = `Worker ${target.id}: ${text}`;
    throw code === undefined ? new NotAccessibleError(ofWorker) : new TroupeError(code, ofWorker);
  }

  /** Takes an answer to a request of the host. False: it is none. */
  answered(from: ControlPeer, { rpcId, respondTo, body }: ControlEnvelope): boolean {
    const ask = this.#waiting.get(rpcId);
    if (ask === undefined || ask.target !== from || respondTo !== "") return false;
    if (body === undefined || body.kind === "unknown" || isControlRequest(body)) {
      const text = `Worker ${from.id} answered with something else than was asked for.`;
      this.#settle(rpcId, new TroupeError("unexpected-answer", text));
    } else this.#settle(rpcId, body);
    return true;
  }

  /** The channel has ended: what it was asked stays without an answer. */
  sessionEnded(session: ControlPeer): void {
    for (const [rpcId, { target }] of this.#waiting) {
      if (target !== session) continue;
      const text = `Worker ${session.id} has gone before it answered.`;
      this.#settle(rpcId, new UndeliverableException(text, { code: "disconnected" }));
    }
  }

  #settle(rpcId: string, outcome: ControlAnswer | Error): void {
    const ask = this.#waiting.get(rpcId);
    this.#waiting.delete(rpcId);
    ask?.settle(outcome);
  }
}
