import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import {
  encodePeerFrame,
  type FrameHead,
  type PeerCall,
  type PeerEvent,
  type PeerFlush,
  type PeerHello,
  type PeerUnary,
  type PeerUnaryAnswer,
  peekFrame,
  peerLinks,
  requestIdText,
} from "../../../protocol/internal.ts";
import { isPrincipalName } from "../../../security/internal.ts";
import {
  type CallContext,
  createUncountedAccount,
  type LinkService,
  RpcError,
  type ServerStreamReceiver,
  StatusCode,
} from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import { limits } from "../../limits.ts";
import type { BadFrame, ControlLink, HostWays, LinkCounters, LinkOccurrence } from "../host-ways.ts";
import type { ToldPresence } from "../told/told-presence.ts";
import { type AskedHost, IncomingLink } from "./incoming-link.ts";
import type { LinkSettings } from "./outgoing-link.ts";

export interface AcceptedLinksParts extends LinkSettings {
  readonly ways: HostWays;
  readonly presence: ToldPresence;
  readonly counters: LinkCounters;
  /** The secret that hosts must name. Undefined: the transport knows who they are. */
  readonly secret: string | undefined;
  readonly report: (what: LinkOccurrence) => void;
  /** Answers unary calls in turns with other work. */
  readonly batches: BatchRunner;
}

const tooManyAsks = `This host has ${limits.peerUnaries} unary calls of the other one without an answer that was taken. Try again later.`;
const noSpaceBack = "The call finds no space on the way back to its host.";
/** Bytes that a host keeps of a unary call beside its request and texts. */
const unaryBytes = 1_000;

/** The memory of a unary call of another host while it waits. */
function costOfAsk({ method, clientId, principal = "", request, metadata }: PeerUnary): number {
  const texts = [method, clientId, principal, ...Object.entries(metadata).flat()];
  return unaryBytes + request.length + 2 * texts.reduce((sum, { length }) => sum + length, 0);
}

// protocol.md §12
/** The links that other hosts have dialled: serves what they ask, and tells them who is here. */
export class AcceptedLinks implements AskedHost, LinkService {
  readonly serviceName = peerLinks.serviceName;
  readonly unaryMethods: ReadonlySet<string> = new Set();
  readonly streamMethods: ReadonlySet<string> = new Set([peerLinks.method]);
  readonly #parts: AcceptedLinksParts;
  readonly #links = new Set<IncomingLink>();
  /** The newest link of each host. */
  readonly #byHost = new Map<string, IncomingLink>();
  readonly #control = new Map<IncomingLink, ControlLink>();
  readonly #uncounted = createUncountedAccount();
  #lastNumber = 0;
  #hello: PeerHello;
  #isClosed = false;

  constructor(parts: AcceptedLinksParts) {
    this.#parts = parts;
    this.#hello = parts.hello;
  }

  /** This host has another id from now on: ends all links. */
  renew(hello: PeerHello): void {
    this.#hello = hello;
    const status = { code: StatusCode.unavailable, details: "The host begins anew in its cluster." };
    for (const link of [...this.#links]) link.finish(status, "this host begins anew in its cluster");
  }

  /** The ids of the hosts that have a link to this one. */
  get hostIds(): readonly string[] {
    return [...this.#byHost.keys()];
  }

  async unary(): Promise<Uint8Array> {
    throw new RpcError(StatusCode.unimplemented, "This service has one stream.");
  }

  stream(call: CallContext): ServerStreamReceiver {
    const { ways: _ways, presence: _presence, counters: _counters, batches: _batches, ...more } = this.#parts;
    const { secret, report, ...settings } = more;
    if (this.#isClosed) throw new RpcError(StatusCode.unavailable, "The host is shutting down.");
    if (secret !== undefined && !isSame(call.metadata[peerLinks.secretKey] ?? "", secret)) {
      report({ what: "refused", hostId: "", detail: `${call.peer} does not know the secret of the cluster` });
      throw new RpcError(StatusCode.unauthenticated, "The secret of the cluster is wrong or missing (peerSecret).");
    }
    if (this.#links.size >= limits.incomingLinks) {
      report({ what: "refused", hostId: "", detail: `${call.peer} asks for one link too many` });
      throw new RpcError(StatusCode.resourceExhausted, `This host has ${this.#links.size} links of other hosts.`);
    }
    const account = call.account ?? this.#uncounted;
    this.#lastNumber += 1;
    const own = { hello: this.#hello, number: this.#lastNumber };
    const link = new IncomingLink({ ...settings, ...own, account, address: call.peer, host: this });
    this.#links.add(link);
    return link;
  }

  /** Resolves when all hosts have read what they were told so far, or have no link any more. To false: some are late. Undefined: there are none. */
  barrier(): Promise<boolean> | undefined {
    if (this.#byHost.size === 0) return undefined;
    return Promise.all([...this.#byHost.values()].map((link) => link.barrier())).then((read) => read.every(Boolean));
  }

  linkOpened(link: IncomingLink): void {
    const { presence, counters, report } = this.#parts;
    const before = this.#byHost.get(link.hostId);
    this.#byHost.set(link.hostId, link);
    counters.openedLinks += 1;
    report({ what: "accepted", hostId: link.hostId, detail: link.address });
    const replaced = { code: StatusCode.aborted, details: "replaced by a newer link" };
    before?.finish(replaced, replaced.details);
    presence.greet(link, () => void link.barrier());
  }

  linkEnded(link: IncomingLink, reason: string): void {
    const { presence, counters, ways, report } = this.#parts;
    this.#links.delete(link);
    const { caller, hostId } = link;
    if (caller === undefined) return report({ what: "refused", hostId: "", detail: `${link.address}: ${reason}` });
    if (this.#byHost.get(hostId) === link) this.#byHost.delete(hostId);
    counters.endedLinks += 1;
    report({ what: "ended", hostId, detail: reason });
    presence.forget(link);
    ways.callerGone(caller);
    const control = this.#control.get(link);
    this.#control.delete(link);
    if (control !== undefined) ways.controlGone(control);
  }

  called(link: IncomingLink, { slot, isFirst, principal, frame }: PeerCall): void {
    const { presence, ways } = this.#parts;
    const { caller } = link;
    if (caller === undefined) return;
    if (principal !== undefined && !isPrincipalName(principal))
      return link.cut("It has sent a call in the name of a principal that can't have such a name.");
    const channel = presence.channelAt(slot);
    if (channel !== undefined && ways.called(caller, { isFirst, principal, frame }, channel)) return;
    const call = peekFrame(frame);
    if (call.kind !== "request") return link.cut("It has sent a call whose frame is not a request.");
    const reason = "The worker does not serve the agent type here any more.";
    if (caller.bounce({ what: { requestId: requestIdText(call) }, types: [], reason, heldBy: undefined, frame }))
      return;
    const head = { kind: "request", requestId: requestIdText(call) } as const;
    this.calledBadly(link, head, { reason: noSpaceBack, isOverload: true });
  }

  calledBadly(link: IncomingLink, head: FrameHead, bad: BadFrame): void {
    if (link.caller !== undefined) this.#parts.ways.calledBadly(link.caller, head, bad);
  }

  published(link: IncomingLink, { number, targets, frame }: PeerEvent): void {
    if (link.caller === undefined) return;
    const { presence, ways } = this.#parts;
    const exclusive = targets.flatMap(({ slot, types }) => (slot === 0 ? types : []));
    const shared = targets.flatMap(({ slot, types }) =>
      slot === 0 ? [] : { channel: presence.channelAt(slot), types },
    );
    ways.published(link.caller, { number, exclusive, shared, frame });
  }

  flush(link: IncomingLink, flush: PeerFlush): void {
    const { number, slot } = flush;
    const { ways, presence } = this.#parts;
    if (link.caller !== undefined)
      ways.flush(link.caller, flush, presence.channelAt(slot), () => link.tell({ kind: "flushed", number }));
  }

  noticed(link: IncomingLink, notice: Uint8Array): void {
    if (link.caller !== undefined) this.#parts.ways.noticed(link.caller, notice);
  }

  controlCame(link: IncomingLink, envelope: Uint8Array): void {
    this.#parts.ways.controlCame(this.#controlOf(link), envelope);
  }

  // protocol.md §12.4
  /** Answers in turns with other work. A host that does not take its answers is refused, and then loses its link. */
  asked(link: IncomingLink, ask: PeerUnary): void {
    const { openAsks } = link;
    if (openAsks >= 2 * limits.peerUnaries)
      return link.cut(`It has made ${openAsks} unary calls and does not take their answers.`);
    link.beginAsk();
    const bytes = costOfAsk(ask);
    if (openAsks >= limits.peerUnaries) return this.#refuse(link, ask, tooManyAsks);
    if (!link.account.take(bytes)) return this.#refuse(link, ask, link.account.whyNot(bytes));
    const answer = (): void => {
      if (link.isOpen) void this.#answer(link, ask).finally(() => link.account.release(bytes));
      else link.account.release(bytes);
    };
    this.#parts.batches.add(link, [answer], link.account.party);
  }

  waitingCame(link: IncomingLink, notice: Uint8Array): void {
    if (link.caller !== undefined) this.#parts.ways.waitingCame(link.caller, notice);
  }

  /** Ends all links after what waits, and refuses others. */
  close(): void {
    this.#isClosed = true;
    const status = { code: StatusCode.unavailable, details: "The host is shutting down." };
    for (const link of [...this.#links]) link.finish(status, "this host stops");
  }

  /** Long answers to one client leave space in the queue for those to others. */
  async #answer(link: IncomingLink, ask: PeerUnary): Promise<void> {
    const outcome = await this.#parts.ways.asked(ask, link.account, link.hostId);
    const { number } = ask;
    const answer = { kind: "unary-answer", number } as const;
    if (outcome instanceof RpcError) {
      const { code, details, metadata = {} } = outcome.status;
      return this.#tellAnswer(link, { ...answer, code, details, answer: new Uint8Array(0), metadata });
    }
    const frame = { ...answer, code: StatusCode.ok, details: "", answer: outcome, metadata: {} };
    if (link.tellIfRoom(encodePeerFrame(frame), ask.clientId)) return link.answeredAsk();
    this.#refuse(link, ask, "The answer finds no space on the link between the hosts.");
  }

  #refuse(link: IncomingLink, { number }: PeerUnary, details: string): void {
    const code = StatusCode.resourceExhausted;
    this.#tellAnswer(link, { kind: "unary-answer", number, code, details, answer: new Uint8Array(0), metadata: {} });
  }

  #tellAnswer(link: IncomingLink, answer: PeerUnaryAnswer): void {
    link.tell(answer);
    link.answeredAsk();
  }

  #controlOf(link: IncomingLink): ControlLink {
    const known = this.#control.get(link);
    if (known !== undefined) return known;
    const control: ControlLink = {
      id: `host → ${link.hostId}`,
      account: link.account,
      owner: { principal: undefined },
      isElsewhere: true,
      ask: undefined,
      send: (envelope) => link.sendControl(envelope),
    };
    this.#control.set(link, control);
    return control;
  }
}

/** Compares without telling by its time how much is the same. */
function isSame(given: string, secret: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(secret)];
  return one.length === other.length && timingSafeEqual(one, other);
}
