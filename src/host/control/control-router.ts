import type { Clock, Epoch, Logger } from "../../core/internal.ts";
import {
  type ControlEnvelope,
  type ControlRequest,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  isControlRequest,
  parseControlDestination,
  withControlEpoch,
} from "../../protocol/internal.ts";
import type { AccessAction } from "../../security/internal.ts";
import { type MemoryAccount, RpcError, StatusCode } from "../../transport/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { Placed } from "../placement/located.ts";
import type { MovingAgent } from "../placement/moving-agent.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import type { ControlPeer } from "./control-peer.ts";
import { type ControlWait, ControlWaits } from "./control-waits.ts";
import { type CameRequest, HeldRequests, type MessageHolder } from "./held-requests.ts";
import type { HostAsks } from "./host-asks.ts";

export interface ControlRouterParts {
  /** Runs what may be long: the answers for a channel that has ended. */
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  /** Returns the client that an agent's requests go to; undefined: there is none. */
  readonly locate: (agentType: string, key: string, asker: ControlPeer) => string | undefined;
  /** Whether any agent type is shared; the epoch of the claim of an agent, if its type is. */
  readonly hasShared: () => boolean;
  readonly epochOf: (agentType: string, key: string) => Epoch | undefined;
  /** Returns an agent of a shared type that moves from one worker to another. Undefined: it does not. */
  readonly movingAgent: (agentType: string, key: string) => MovingAgent | undefined;
  /** Holds what comes for such agents. */
  readonly leaving: MessageHolder;
  readonly sessions: { of(clientId: string): ControlPeer | undefined };
  /** Default: this host is alone. */
  readonly others?: OthersSeat | undefined;
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

  constructor(parts: ControlRouterParts) {
    this.#parts = parts;
    this.#held = new HeldRequests(parts.leaving, (came, placed) => this.#placed(came, placed));
  }

  route(from: ControlPeer, bytes: Uint8Array): void {
    const envelope = this.#read(from, bytes);
    if (envelope === undefined || this.#parts.hostAsks.answered(from, envelope)) return;
    const asker = this.#waits.answered(from, envelope);
    // protocol.md §12.4: the host that has asked knows where its client is.
    if (asker?.isElsewhere) return this.#answerElsewhere(asker, bytes);
    if (asker === undefined && this.#isForged(from, envelope)) return this.#refuseForged(from, envelope);
    const denied = this.#whyDenied(from, envelope);
    if (denied !== undefined) return this.#refuseDenied(from, envelope, denied);
    const overuse = this.#whyOverused(from, envelope, bytes);
    if (overuse !== undefined) return this.#refuse(from, envelope, overuse.request, overuse.text);
    if (isControlRequest(envelope.body) && this.#parts.others?.now.isServing === false)
      return this.#refuseIsolated(from, envelope, envelope.body);
    const agent = this.#movingAt(envelope);
    if (agent !== undefined && isControlRequest(envelope.body)) {
      return this.#hold(agent, { from, envelope, request: envelope.body, bytes });
    }
    this.#pass(from, envelope, bytes, this.#clientAt(envelope.destination, from));
  }

  // protocol.md §2.5
  /** Takes a request from the quota of its client, or says why it can't. Answers are free. */
  #whyOverused({ id: clientId, caller, account }: ControlPeer, { body }: ControlEnvelope, bytes: Uint8Array) {
    const { quotas } = this.#parts;
    if (quotas === undefined || caller === undefined || !isControlRequest(body)) return undefined;
    const overuse = quotas.whyNotSend({ principal: caller.principal, party: account.party, clientId }, bytes.length);
    return overuse && { request: body, text: overuse.text };
  }

  #answerElsewhere(asker: ControlPeer, bytes: Uint8Array): void {
    const { counters } = this.#parts;
    if (asker.send(bytes)) counters.controlMessages += 1;
    else counters.unroutableControlMessages += 1;
  }

  // protocol.md §12.4
  /** The link to the host that has the client or the agent of a destination. `clientId`: the worker of the agent, if this host knows it. Envelopes from another host go to no third one. */
  #elsewhere(from: ControlPeer, text: string, clientId: string | undefined): ControlPeer | undefined {
    const { others } = this.#parts;
    if (from.isElsewhere || others === undefined || !others.now.areThere) return undefined;
    const destination = parseControlDestination(text);
    if (destination === undefined) return undefined;
    if (destination.kind === "client") return others.now.controlOf(destination.clientId);
    // protocol.md §12.8: an agent of a shared type is where its route goes.
    return clientId === undefined ? others.now.controlOfType(destination.type) : others.now.controlOf(clientId);
  }

  /** Passes an envelope to a client. Answers the sender when there is no such client, or when it has gone. */
  #pass(from: ControlPeer, envelope: ControlEnvelope, bytes: Uint8Array, clientId: string | undefined): void {
    const { counters, clientIds, sessions } = this.#parts;
    if (isForOwner(envelope.body) && clientId !== undefined && !clientIds.isFree(clientId, from.owner.principal))
      return this.#refuseStranger(from, envelope, envelope.body);
    const here = clientId === undefined ? undefined : sessions.of(clientId);
    const target = here ?? this.#elsewhere(from, envelope.destination, clientId);
    if (target?.ask !== undefined && clientIds.isEnforced && isForOwner(envelope.body))
      return void this.#askThere(target.ask(bytes, from), { from, envelope, request: envelope.body });
    const full = this.#waits.whyFull(from, envelope, target);
    if (full !== undefined && isControlRequest(envelope.body)) {
      counters.refusedByLimit += 1;
      return this.#refuse(from, envelope, envelope.body, full);
    }
    if (!target?.send(this.#withEpoch(envelope, bytes), from)) return this.#returnToSender(from, envelope);
    counters.controlMessages += 1;
    this.#waits.passed(target, from, envelope);
  }

  // protocol.md §12.4
  /** Another host has the worker of the agent, and decides by the principal of the sender. */
  async #askThere(
    answering: Promise<Uint8Array | RpcError>,
    { from, envelope, request }: Omit<CameRequest, "bytes">,
  ): Promise<void> {
    this.#parts.counters.controlMessages += 1;
    const answer = await answering;
    if (answer instanceof RpcError) return this.#refuse(from, envelope, request, answer.message);
    (this.#find(envelope.respondTo ?? "", from) ?? from).send(answer);
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
      };
      const timer = this.#parts.clock.setTimer(limits.controlAskMs, () => {
        reject(new RpcError(StatusCode.unavailable, "The worker has not answered in time. Look at its log."));
        this.sessionEnded(asker);
      });
      this.route(asker, bytes);
    });
  }

  // protocol.md §11.17
  #movingAt({ destination, body }: ControlEnvelope): MovingAgent | undefined {
    if (!this.#parts.hasShared() || !isControlRequest(body)) return undefined;
    const agent = parseControlDestination(destination);
    return agent?.kind === "agent" ? this.#parts.movingAgent(agent.type, agent.key) : undefined;
  }

  #hold(agent: MovingAgent, came: CameRequest): void {
    if (this.#held.hold(agent, came)) return;
    this.#parts.counters.refusedByLimit += 1;
    const error = `Too much waits for ${agent.type.name}/${agent.key}, which moves to another worker. Try again later.`;
    this.#refuse(came.from, came.envelope, came.request, error);
  }

  /** The agent of a request that waited has a place, or gets none. */
  #placed({ from, envelope, request, bytes }: CameRequest, placed: Placed | undefined): void {
    if (placed?.at === "nowhere") return this.#refuse(from, envelope, request, placed.reason);
    // The type is not the same any more, or its worker has yet to open its channel.
    if (placed?.at !== "found") return this.#pass(from, envelope, bytes, this.#clientAt(envelope.destination, from));
    this.#pass(from, envelope, bytes, placed.peer.id);
  }

  /** Tells each client that waits for an answer of this channel that it will not come. */
  sessionEnded(session: ControlPeer): void {
    this.#parts.hostAsks.sessionEnded(session);
    this.#held.askerEnded(session);
    const { party } = session.account;
    // A channel that was replaced has left the answers to its successor.
    if (session.isElsewhere || this.#parts.sessions.of(session.id) === undefined) {
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

  // protocol.md §2.4
  /** The text that refuses a request by the rules. They are held against the agent of its destination, and against the agent that it names. */
  #whyDenied({ caller }: ControlPeer, { body, destination, respondTo }: ControlEnvelope): string | undefined {
    const { access } = this.#parts;
    if (access === undefined || caller === undefined) return undefined;
    const isRequest = isControlRequest(body);
    if (!isRequest && respondTo === "") return undefined;
    const at = parseControlDestination(destination);
    const named = [at?.kind === "agent" ? at.type : undefined, isRequest ? body.agentId?.type : undefined];
    const types = new Set(named.filter((type) => type !== undefined));
    for (const resource of types.size === 0 ? [""] : types)
      for (const action of actionsOf(body)) {
        const text = access.whyNot(caller, { action, resource });
        if (text !== undefined) return text;
      }
    return undefined;
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

/** Returns the actions that the rules must allow the sender of a request. */
function actionsOf(body: ControlEnvelope["body"]): readonly AccessAction[] {
  switch (body?.kind) {
    case "save-request":
      return ["control", "read-state"];
    case "load-request":
      return ["control", "write-state"];
    default:
      return ["control"];
  }
}
const isolatedText = "This host has lost touch with its cluster; nothing was sent. Try again later.";

/** Whether a request reads or writes the state of an agent, or ends its activation. The description of an agent is for everybody. */
function isForOwner(body: ControlEnvelope["body"]): body is ControlRequest {
  return isControlRequest(body) && body.kind !== "metadata-request";
}

function whyUnroutable(destination: string): string {
  const parsed = parseControlDestination(destination);
  if (parsed === undefined) return `Invalid control destination: ${destination}`;
  return parsed.kind === "agent"
    ? `Agent ${parsed.type}/${parsed.key} can't be reached: no worker with a control channel serves the agent type ${parsed.type}.`
    : `Client ${parsed.clientId} can't be reached: it has no control channel.`;
}
