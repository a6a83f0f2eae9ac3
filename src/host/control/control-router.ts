import { type Clock, type Epoch, type Logger, TroupeError } from "../../core/internal.ts";
import {
  type ControlEnvelope,
  type ControlRequest,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  formatControlError,
  isControlRequest,
  parseControlDestination,
  withControlEpoch,
} from "../../protocol/internal.ts";
import { type MemoryAccount, RpcError, StatusCode } from "../../transport/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { PlaceGates } from "../peers/places/place-gates.ts";
import type { Placed } from "../placement/located.ts";
import type { MovingAgent } from "../placement/moving-agent.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import { AsksElsewhere } from "./asks-elsewhere.ts";
import { isForAgent, isForOwner, isolatedText, whyDenied, whyLate, whyUnroutable } from "./control-checks.ts";
import type { ControlPeer } from "./control-peer.ts";
import type { ControlPlaces } from "./control-places.ts";
import { type ControlWait, ControlWaits } from "./control-waits.ts";
import { GatedRequests } from "./gated-requests.ts";
import { type CameRequest, HeldRequests, type MessageHolder, ownRequest } from "./held-requests.ts";
import type { HostAsks } from "./host-asks.ts";

export interface ControlRouterParts {
  /** Runs what may be long: the answers for a channel that has ended. */
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  /** Returns the client that an agent's answers go to; undefined: no client asked. */
  readonly locate: (agentType: string, key: string, asker: ControlPeer) => string | undefined;
  /** Finds where requests go. */
  readonly places: Pick<ControlPlaces, "find">;
  /** Whether any agent type is shared; the epoch of the claim of an agent, if its type is. */
  readonly hasShared: () => boolean;
  readonly epochOf: (agentType: string, key: string) => Epoch | undefined;
  /** Holds what comes for agents of shared types that move, or whose place is not known. */
  readonly leaving: MessageHolder;
  /** Hold what comes for exclusive types whose place is not known. */
  readonly gates: PlaceGates;
  readonly sessions: { of(clientId: string): ControlPeer | undefined };
  readonly others: OthersSeat;
  /** The requests of the host itself. */
  readonly hostAsks: HostAsks;
  readonly clock: Clock;
  /** Tells whether a principal may use a client id. Not enforced: all callers are anonymous. */
  readonly clientIds: {
    readonly isEnforced: boolean;
    isFree(clientId: string, principal: Principal | undefined): boolean;
  };
  /** Undefined: the host has no rules. */
  readonly access?: AccessCheck | undefined;
  /** Default: the host has no quotas. */
  readonly quotas?: QuotaCheck | undefined;
  readonly logger: Logger | undefined;
}

// protocol.md §1.8
/** Passes control envelopes on, unchanged but for an epoch, and answers requests whose destination it can't reach. */
export class ControlRouter {
  readonly #parts: ControlRouterParts;
  readonly #waits = new ControlWaits();
  readonly #held: HeldRequests;
  readonly #gated: GatedRequests;
  readonly #asks = new AsksElsewhere();

  constructor(parts: ControlRouterParts) {
    this.#parts = parts;
    this.#held = new HeldRequests(parts.leaving, (came, placed) => this.#placed(came, placed));
    this.#gated = new GatedRequests({
      gates: parts.gates,
      onPlaced: (came, isUnserved) => (isUnserved ? this.#returnToSender(came.from, came.envelope) : this.#seek(came)),
      onExpired: ({ from, envelope, request }) => this.#refuse(from, envelope, request, whyLate(envelope.destination)),
    });
  }

  route(from: ControlPeer, bytes: Uint8Array): void {
    const envelope = this.#read(from, bytes);
    if (envelope === undefined || this.#parts.hostAsks.answered(from, envelope)) return;
    const asker = this.#waits.answered(from, envelope);
    // protocol.md §12.4: the host that has asked knows where its client is.
    if (asker?.isElsewhere) return this.#answerElsewhere(asker, bytes, from);
    if (asker === undefined && this.#isForged(from, envelope)) return this.#refuseForged(from, envelope);
    const denied = whyDenied(this.#parts.access, from, envelope);
    if (denied !== undefined) return this.#refuseDenied(from, envelope, denied);
    const overuse = this.#whyOverused(from, envelope, bytes);
    if (overuse !== undefined) return this.#refuse(from, envelope, overuse.request, overuse.text);
    if (isControlRequest(envelope.body) && !this.#parts.others.now.isServing)
      return this.#refuseIsolated(from, envelope, envelope.body);
    if (isControlRequest(envelope.body)) return this.#seek({ from, envelope, request: envelope.body, bytes, tries: 0 });
    this.#pass(from, envelope, bytes, this.#clientAt(envelope.destination, from));
  }

  /** Passes a request to the worker of its agent, or holds it until more is known. */
  #seek(came: CameRequest): void {
    const place = this.#parts.places.find(came);
    switch (place.at) {
      case "client":
        return this.#pass(came.from, came.envelope, came.bytes, place.clientId, came);
      case "moving":
        return this.#hold(place.agent, came);
      case "gate":
        if (this.#gated.hold(place.key, came)) return;
        return this.#refuseFull(came, `Too much waits for the place of ${came.envelope.destination}. Try again later.`);
      case "nowhere":
        return this.#refuseFull(came, place.reason);
    }
  }

  // protocol.md §2.5
  /** Takes a request from the quota of its client, or says why it can't. Answers are free. */
  #whyOverused({ id: clientId, caller, account }: ControlPeer, { body }: ControlEnvelope, bytes: Uint8Array) {
    const { quotas } = this.#parts;
    if (quotas === undefined || caller === undefined || !isControlRequest(body)) return undefined;
    const overuse = quotas.whyNotSend({ principal: caller.principal, party: account.party, clientId }, bytes.length);
    return overuse && { request: body, text: overuse.text };
  }

  #answerElsewhere(asker: ControlPeer, bytes: Uint8Array, from: ControlPeer): void {
    const { counters } = this.#parts;
    if (asker.send(bytes, from)) counters.controlMessages += 1;
    else counters.unroutableControlMessages += 1;
  }

  // protocol.md §12.4
  /** The link to the host that has the client or the agent of a destination. `clientId`: the worker of the agent, if this host knows it. Envelopes from another host go to no third one. */
  #elsewhere(from: ControlPeer, text: string, clientId: string | undefined): ControlPeer | undefined {
    const { others } = this.#parts;
    if (from.isElsewhere || !others.now.areThere) return undefined;
    const destination = parseControlDestination(text);
    if (destination === undefined) return undefined;
    if (destination.kind === "client") return others.now.controlOf(destination.clientId);
    return clientId === undefined ? undefined : others.now.controlOf(clientId);
  }

  /** Passes an envelope to a client. Answers the sender when there is no such client, or when it has gone. */
  #pass(
    from: ControlPeer,
    envelope: ControlEnvelope,
    bytes: Uint8Array,
    clientId: string | undefined,
    came?: CameRequest,
  ): void {
    const { counters, clientIds, sessions } = this.#parts;
    if (isForOwner(envelope.body) && clientId !== undefined && !clientIds.isFree(clientId, from.owner.principal))
      return this.#refuseStranger(from, envelope, envelope.body);
    const here = clientId === undefined ? undefined : sessions.of(clientId);
    const target = here ?? this.#elsewhere(from, envelope.destination, clientId);
    if (came !== undefined && target === undefined && this.#gaveBack(came, clientId)) return;
    const isAsked = isForAgent(envelope) || (clientIds.isEnforced && isForOwner(envelope.body));
    if (came !== undefined && target?.ask !== undefined && isAsked) return void this.#askThere(target.ask, came);
    const full = this.#waits.whyFull(from, envelope, target);
    if (full !== undefined && isControlRequest(envelope.body))
      return this.#refuseFull({ from, envelope, request: envelope.body }, full);
    if (!target?.send(this.#withEpoch(envelope, bytes), from)) return this.#returnToSender(from, envelope);
    counters.controlMessages += 1;
    this.#waits.passed(target, from, envelope);
  }

  // protocol.md §12.4
  /** Gives a request of another host back whose agent is not here, or not any more. False: it stays. */
  #gaveBack({ from, envelope }: CameRequest, clientId: string | undefined): boolean {
    if (from.giveBack === undefined || !isForAgent(envelope)) return false;
    // A worker of this host without a control channel is the place of its agents.
    if (clientId !== undefined && this.#parts.others.now.controlOf(clientId) === undefined) return false;
    from.giveBack();
    return true;
  }

  // protocol.md §12.4
  /** Another host has the worker of the agent, and decides by the principal of the sender. If the agent is not there any more, it is sought again. */
  async #askThere(ask: NonNullable<ControlPeer["ask"]>, asked: CameRequest): Promise<void> {
    const came = asked.tries === 0 ? ownRequest(asked) : asked;
    const { from, envelope, request, tries } = came;
    const full = this.#asks.whyFull(came);
    if (full !== undefined) return this.#refuseFull(came, full);
    this.#parts.counters.controlMessages += 1;
    const answer = await this.#asks.ask(ask, came);
    if (!(answer instanceof RpcError)) return void (this.#find(envelope.respondTo ?? "", from) ?? from).send(answer);
    if (answer.status.code === StatusCode.resourceExhausted) return this.#refuseFull(came, answer.message);
    if (answer.status.code !== StatusCode.aborted) return this.#refuse(from, envelope, request, answer.message);
    if (tries < limits.bouncesOfCall) return this.#seek({ ...came, tries: tries + 1, gatedSinceMs: undefined });
    const error = new TroupeError("shutting-down", `${envelope.destination} moves between hosts. Try again later.`);
    this.#refuse(from, envelope, request, formatControlError(error));
  }

  // protocol.md §12.4
  /** Answers a request of another host's client, whose principal that host has found out. Rejects as UNAVAILABLE if no answer comes in time. */
  answerFor(
    { clientId, principal }: { readonly clientId: string; readonly principal: Principal | undefined },
    bytes: Uint8Array,
    account: MemoryAccount,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const asker: ControlPeer = {
        ...{ id: clientId, account, owner: { principal }, isElsewhere: true, ask: undefined },
        send: (answer) => {
          timer.cancel();
          resolve(answer);
          return true;
        },
        giveBack: () => {
          timer.cancel();
          reject(new RpcError(StatusCode.aborted, "The agent is not at a worker of this host."));
        },
      };
      const timer = this.#parts.clock.setTimer(limits.controlAskMs, () => {
        reject(new RpcError(StatusCode.unavailable, "The worker has not answered in time. Look at its log."));
        this.sessionEnded(asker);
      });
      this.route(asker, bytes);
    });
  }

  // protocol.md §11.17
  #hold(agent: MovingAgent, came: CameRequest): void {
    if (this.#held.hold(agent, came)) return;
    const error = `Too much waits for ${agent.type.name}/${agent.key}, which moves to another worker. Try again later.`;
    this.#refuseFull(came, error);
  }

  #refuseFull({ from, envelope, request }: Pick<CameRequest, "from" | "envelope" | "request">, error: string): void {
    this.#parts.counters.refusedByLimit += 1;
    this.#refuse(from, envelope, request, formatControlError(new TroupeError("overloaded", error)));
  }

  /** The agent of a request that waited has a place, or gets none. */
  #placed(came: CameRequest, placed: Placed | undefined): void {
    const { from, envelope, request, bytes } = came;
    if (placed?.at === "nowhere") return this.#refuse(from, envelope, request, placed.reason);
    // The type is not the same any more, or its worker has yet to open its channel.
    if (placed?.at !== "found")
      return this.#pass(from, envelope, bytes, this.#clientAt(envelope.destination, from), came);
    this.#pass(from, envelope, bytes, placed.peer.id, came);
  }

  /** Tells each client that waits for an answer of this channel that it will not come. */
  sessionEnded(session: ControlPeer): void {
    this.#parts.hostAsks.sessionEnded(session);
    this.#held.askerEnded(session);
    this.#gated.askerEnded(session);
    const { party } = session.account;
    // A channel that was replaced has left the answers to its successor.
    if (session.isElsewhere || this.#parts.sessions.of(session.id) === undefined) {
      this.#asks.askerEnded(session);
      this.#parts.batches.add(session.id, this.#forgettingsOf(this.#waits.releaseAsker(session)), party);
    }
    this.#parts.batches.add(session.id, this.#refusalsOf(this.#waits.release(session)), party);
  }

  *#forgettingsOf(waits: Iterable<ControlWait>): Iterable<() => void> {
    for (const wait of waits) yield () => void this.#waits.forget(wait);
  }

  *#refusalsOf(waits: Iterable<ControlWait>): Iterable<() => void> {
    for (const wait of waits) {
      yield () => {
        if (!this.#waits.forget(wait)) return;
        const { asker, envelope, request } = wait;
        const error = `The control channel to ${envelope.destination} ended before the answer.`;
        this.#refuse(asker, envelope, request, error);
      };
    }
  }

  #read(from: ControlPeer, bytes: Uint8Array): ControlEnvelope | undefined {
    try {
      return decodeControl(bytes);
    } catch (error) {
      // protocol.md H20: a broken envelope must not end the stream, and it names no client to answer.
      this.#parts.counters.badFrames += 1;
      this.#parts.logger?.warn("a control message could not be read", { clientId: from.id, error });
      return undefined;
    }
  }

  // protocol.md §11.17
  /** A request about an agent of a shared type names the epoch under which its worker holds it. */
  #withEpoch({ destination, body }: ControlEnvelope, bytes: Uint8Array): Uint8Array {
    if (!this.#parts.hasShared() || !isControlRequest(body)) return bytes;
    const agent = parseControlDestination(destination);
    const epoch = agent?.kind === "agent" ? this.#parts.epochOf(agent.type, agent.key) : undefined;
    return epoch === undefined ? bytes : withControlEpoch(bytes, epoch);
  }

  #find(text: string, from: ControlPeer): ControlPeer | undefined {
    const clientId = this.#clientAt(text, from);
    return clientId === undefined ? undefined : this.#parts.sessions.of(clientId);
  }

  #clientAt(text: string, from: ControlPeer): string | undefined {
    const destination = parseControlDestination(text);
    if (destination === undefined) return undefined;
    return destination.kind === "client"
      ? destination.clientId
      : this.#parts.locate(destination.type, destination.key, from);
  }

  // protocol.md §1.8
  /** Whether a request asks in the name of another principal's client, or an answer goes to one that has not asked for it. */
  #isForged(from: ControlPeer, { destination, respondTo }: ControlEnvelope): boolean {
    const clientId = this.#clientAt(respondTo === "" ? destination : (respondTo ?? ""), from);
    return clientId !== undefined && !this.#parts.clientIds.isFree(clientId, from.owner.principal);
  }

  /** Only workers of its own principal may read or write the state of an agent, or end its activation. */
  #refuseStranger(from: ControlPeer, envelope: ControlEnvelope, request: ControlRequest): void {
    const { counters, logger } = this.#parts;
    counters.unroutableControlMessages += 1;
    logger?.warn("a control message about the state or the end of another principal's agent is refused", {
      clientId: from.id,
    });
    const own = from.isElsewhere ? envelope : { ...envelope, respondTo: clientDestination(from.id) };
    const error =
      "A worker of another principal serves this agent. Only workers of that principal may save, load, deactivate or destroy it.";
    from.send(encodeControl(controlReply(own, controlFailure(request, error))));
  }

  #refuseDenied(from: ControlPeer, envelope: ControlEnvelope, error: string): void {
    this.#parts.counters.unroutableControlMessages += 1;
    // What the host can't read, it can't answer.
    if (!isControlRequest(envelope.body)) return;
    const own = { ...envelope, respondTo: clientDestination(from.id) };
    from.send(encodeControl(controlReply(own, controlFailure(envelope.body, error))));
  }

  #refuseForged(from: ControlPeer, envelope: ControlEnvelope): void {
    const { counters, logger } = this.#parts;
    const { body, respondTo } = envelope;
    counters.unroutableControlMessages += 1;
    if (respondTo === "" || !isControlRequest(body)) {
      logger?.warn("a control answer is dropped: another principal's client has not asked for it, or has gone", {
        clientId: from.id,
      });
      return;
    }
    logger?.warn("a control message in the name of another principal is refused", { clientId: from.id });
    const own = from.isElsewhere ? envelope : { ...envelope, respondTo: clientDestination(from.id) };
    const error = "The respond_to of this request is another principal's. Name your own client-id there.";
    from.send(encodeControl(controlReply(own, controlFailure(body, error))));
  }

  #returnToSender(from: ControlPeer, envelope: ControlEnvelope): void {
    const { counters, logger } = this.#parts;
    const { body, destination, respondTo } = envelope;
    counters.unroutableControlMessages += 1;
    logger?.warn("a control message could not be delivered", { destination, clientId: from.id });
    // Answers, and requests of kinds that this host can't answer, end here.
    if (respondTo === "" || !isControlRequest(body)) return;
    this.#refuse(from, envelope, body, whyUnroutable(destination));
  }

  // protocol.md §12.7
  #refuseIsolated(from: ControlPeer, envelope: ControlEnvelope, request: ControlRequest): void {
    this.#parts.counters.unroutableControlMessages += 1;
    this.#refuse(from, envelope, request, isolatedText);
  }

  /** Answers for the target: to where the request says, or else to its sender. */
  #refuse(from: ControlPeer, envelope: ControlEnvelope, request: ControlRequest, error: string): void {
    const respondTo = envelope.respondTo ?? clientDestination(from.id);
    const asker = from.isElsewhere ? from : (this.#find(respondTo, from) ?? from);
    asker.send(encodeControl(controlReply({ ...envelope, respondTo }, controlFailure(request, error))));
  }
}
