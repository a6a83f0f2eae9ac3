import type { ClusterMember, JoinOutcome, SessionEnd, WorkerSession } from "../../cluster/internal.ts";
import { type Clock, errorText, type Timer } from "../../core/internal.ts";
import { isAnnounced, readIdentity, readSession, voidStatusPrefix } from "../../protocol/internal.ts";
import { type CallContext, FairCount, type FairCountOptions, RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import { type Admission, type Admitted, shuttingDownText } from "../sessions/admission.ts";
import type { StreamClosing } from "../sessions/data-channel.ts";
import type { Peer } from "../sessions/peer.ts";
import type { Session } from "../sessions/session.ts";
import { Joining, notJoined, type OpeningWorker } from "./joining.ts";

/** The present life of this host in its cluster. */
export interface PresentLife {
  readonly member: ClusterMember;
  /** Resolves when the life serves for the first time, or is over. Never rejects. */
  readonly begun: Promise<void>;
  readonly hasBegun: boolean;
}

export interface ChannelJoinsParts {
  readonly clock: Clock;
  readonly admission: Pick<Admission, "hold">;
  readonly life: () => PresentLife;
  /** The bound of the registrations that wait for their client's join. */
  readonly places: FairCountOptions;
  /** A worker has joined, and its channel is open. */
  readonly onOpened: (channel: Session) => void;
  /** The session of an open channel is over, for another reason than its end. */
  readonly onOver: (channel: Session, end: Exclude<SessionEnd, "ended">) => void;
}

interface OpenChannel {
  readonly channel: Session;
  readonly worker: OpeningWorker;
  session: WorkerSession;
  isLeaving: boolean;
  isMoving: boolean;
}

/** A registration that waits. */
type Waiter = (session: WorkerSession | undefined) => void;

// protocol.md §12.7
/**
 * Joins the workers of this host to its cluster. The host holds the data channel of a worker until the worker has joined. It sends nothing to the
 * worker and takes nothing from it before.
 */
export class ChannelJoins {
  readonly #parts: ChannelJoinsParts;
  readonly #channels = new Map<Peer, OpenChannel>();
  /** By client id: the newest channel counts. */
  readonly #byClient = new Map<string, OpenChannel>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #places: FairCount;
  /** Burials of workers that have left this host, by worker id. */
  readonly #burials = new Map<string, Promise<void>>();
  readonly #onEnded = new Set<() => void>();
  #isClosed = false;

  constructor(parts: ChannelJoinsParts) {
    this.#parts = parts;
    this.#places = new FairCount(parts.places);
  }

  /** The channels that are open now. */
  get open(): readonly { readonly channel: Session; readonly worker: OpeningWorker }[] {
    return [...this.#channels.values()];
  }

  /** Begins the join of a worker that opens its data channel. Throws `RpcError` beyond the bounds of what waits. */
  join(call: CallContext, clientId: string, principal: Admitted): Joining {
    if (this.#isClosed) throw new RpcError(StatusCode.unavailable, shuttingDownText);
    const abort = new AbortController();
    let timer: Timer | undefined;
    let isOver = false;
    // It throws where there is no place, and what has ended already ends inside it.
    const held = this.#parts.admission.hold(call, principal, () => {
      isOver = true;
      timer?.cancel();
    });
    const joining = new Joining({
      ...{ worker: openingWorker(call, clientId, principal), held, abort },
      onUnused: (session) => this.#end(session, "lost"),
    });
    if (!isOver) timer = this.#parts.clock.setTimer(limits.joinMs, () => joining.refuse(notJoined()));
    void this.#join(joining);
    return joining;
  }

  /** A worker that has joined has its data channel open. */
  opened(channel: Session, joining: Joining): void {
    const { worker } = joining;
    const session = joining.opened((end) => this.#over(open, end));
    const open: OpenChannel = { channel, worker, session, isLeaving: false, isMoving: false };
    this.#channels.set(channel, open);
    this.#byClient.set(channel.id, open);
    this.#settle(channel.id, open.session);
    this.#parts.onOpened(channel);
  }

  // protocol.md §11.19
  /**
   * A data channel has ended. A stock worker never comes back. One of Troupe's has stopped only if it has said so; else it may join another host.
   */
  ended(channel: Session, { reason }: Pick<StreamClosing, "reason">): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    this.#channels.delete(channel);
    if (this.#byClient.get(channel.id) === open) this.#byClient.delete(channel.id);
    const hasStopped = open.worker.kind === "stock" || (reason === "left" && open.isLeaving && !open.isMoving);
    this.#end(open.session, hasStopped ? "left" : "lost");
    for (const look of [...this.#onEnded]) look();
  }

  /** Takes no more channels. */
  close(): void {
    this.#isClosed = true;
  }

  /** Resolves when no worker of Troupe's has a channel open any more. */
  async troupeGone(): Promise<void> {
    const isOver = (): boolean => this.open.every(({ channel }) => !channel.traits.isAnnounced);
    while (!isOver()) {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#onEnded.delete(look);
          resolve();
        };
        this.#onEnded.add(look);
      });
    }
  }

  /** The worker has said that it leaves this channel: it finishes there what it has. */
  noteLeaving(channel: Peer): void {
    const open = this.#channels.get(channel);
    if (open !== undefined) open.isLeaving = true;
  }

  /** Whether a worker has said that it moves from this channel to another host. */
  isMoving(channel: Peer): boolean {
    return this.#channels.get(channel)?.isMoving === true;
  }

  isLeaving(channel: Peer): boolean {
    return this.#channels.get(channel)?.isLeaving === true;
  }

  // protocol.md §11.19
  /** The worker moves to another host: it finishes here what it has. */
  noteMoving(channel: Peer): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    open.isLeaving = true;
    open.isMoving = true;
  }

  /** The session of a worker in the cluster, by its data channel. */
  sessionOf(channel: Peer): WorkerSession | undefined {
    return this.#channels.get(channel)?.session;
  }

  /** Answers a worker that asks for a lease: milliseconds; 0: it gets none. */
  leaseOf(channel: Peer): number {
    if (!channel.traits.capabilities.has("lease")) return 0;
    return this.sessionOf(channel)?.grantLease() ?? 0;
  }

  /**
   * Resolves to the session of a client as soon as it has joined. Undefined: it does not join in time, or too many wait. `party`: the address of
   * who waits.
   */
  async joinedAs(clientId: string, party: string): Promise<WorkerSession | undefined> {
    const open = this.#byClient.get(clientId);
    if (open !== undefined) return open.session;
    if (!this.#places.mayTake(party)) return undefined;
    return await new Promise((resolve) => {
      const waiters = this.#waiters.get(clientId) ?? new Set();
      this.#waiters.set(clientId, waiters);
      const settle: Waiter = (session) => {
        timer.cancel();
        place.leave();
        waiters.delete(settle);
        if (waiters.size === 0) this.#waiters.delete(clientId);
        resolve(session);
      };
      const timer = this.#parts.clock.setTimer(limits.joinMs, () => settle(undefined));
      const place = this.#places.take(party, () => settle(undefined));
      waiters.add(settle);
    });
  }

  /** Resolves when a worker that has left this host is buried. Undefined: it has not left this host now. */
  buried(workerId: string): Promise<void> | undefined {
    return this.#burials.get(workerId);
  }

  /**
   * Joins a stock worker to the next life of this host, by the channel that it has open. Resolves to its new identity. Undefined: it could not
   * join, and the channel is of no use.
   */
  async joinAgain(channel: Session): Promise<WorkerSession | undefined> {
    const open = this.#channels.get(channel);
    if (open === undefined) return undefined;
    const { worker } = open;
    const outcome = await this.#joinLife(worker, {
      signal: new AbortController().signal,
      onOver: (end) => queueMicrotask(() => this.#over(open, end)),
    });
    if (outcome.at !== "joined") return undefined;
    open.session = outcome.session;
    if (this.#channels.get(channel) === open) return outcome.session;
    this.#end(outcome.session, "left");
    return undefined;
  }

  async #join(joining: Joining): Promise<void> {
    const { worker, signal } = joining;
    try {
      const outcome = await this.#joinLife(worker, { signal, onOver: (end) => joining.over(end) });
      if (outcome.at === "joined") return joining.succeed(outcome.session);
      joining.refuse(refusalOf(outcome.at));
    } catch (error) {
      joining.refuse(new RpcError(StatusCode.invalidArgument, errorText(error), { cause: error }));
    }
    this.#settle(worker.clientId, undefined);
  }

  /** Joins the life that serves first, while the join has time. */
  async #joinLife(
    worker: OpeningWorker,
    options: { readonly signal: AbortSignal; readonly onOver: (end: SessionEnd) => void },
  ): Promise<JoinOutcome> {
    const { clientId, said, session, party } = worker;
    const joining = { ...options, party };
    const { name, version = "", labels } = said;
    const joiner = { clientId, name, version, labels: { ...labels }, principal: worker.principal?.name ?? "" };
    for (;;) {
      const life = this.#parts.life();
      if (!life.hasBegun) await orAborted(life.begun, options.signal);
      if (options.signal.aborted) return { at: "unavailable" };
      const { workers } = life.member;
      const outcome =
        worker.kind === "troupe"
          ? await workers.join({ ...joiner, workerId: said.id, session, kind: "troupe" }, joining)
          : await workers.joinStock(joiner, joining);
      if (outcome.at !== "unavailable" || this.#parts.life() === life) return outcome;
    }
  }

  #over(open: OpenChannel, end: SessionEnd): void {
    const { channel, session } = open;
    // It may have joined the next life meanwhile.
    if (end !== "ended" && session.isOver && this.#channels.get(channel) === open) this.#parts.onOver(channel, end);
  }

  #end(session: WorkerSession, how: "left" | "lost"): void {
    const { workerId } = session;
    const ending = this.#parts.life().member.workers.end(session, how);
    if (how === "lost") return;
    const buried = ending.then(() => {
      if (this.#burials.get(workerId) === buried) this.#burials.delete(workerId);
    });
    this.#burials.set(workerId, buried);
  }

  #settle(clientId: string, session: WorkerSession | undefined): void {
    for (const settle of [...(this.#waiters.get(clientId) ?? [])]) settle(session);
  }
}

/** Reads who opens a channel. A worker that counts no connections can't prove at another host who it is: it is as a stock one. */
function openingWorker(
  { metadata, account }: Pick<CallContext, "metadata" | "account">,
  clientId: string,
  principal: Admitted,
): OpeningWorker {
  const party = account?.party ?? "";
  if (!isAnnounced(metadata)) {
    const said = { id: clientId, name: clientId, version: undefined, labels: {} };
    return { kind: "stock", clientId, said, session: 0, principal, party };
  }
  const named = readIdentity(metadata, "");
  const session = readSession(metadata);
  if (session !== undefined && named.id !== "")
    return { kind: "troupe", clientId, said: named, session, principal, party };
  return { kind: "stock", clientId, said: readIdentity(metadata, clientId), session: 0, principal, party };
}

function refusalOf(at: Exclude<JoinOutcome["at"], "joined">): RpcError {
  switch (at) {
    case "void":
      return new RpcError(StatusCode.aborted, voidText);
    case "replaced":
      return new RpcError(StatusCode.aborted, "replaced by a newer channel");
    case "denied":
      return new RpcError(
        StatusCode.permissionDenied,
        "A worker of another principal has this worker id. Use a worker id of your own.",
      );
    case "unavailable":
      return notJoined();
  }
}

/** The status of a worker that is gone for its cluster. */
export const voidText = voidStatusPrefix.concat(
  "this worker is gone for its cluster. It must join under another worker id.",
);

/** Resolves when the promise does, or when the signal aborts. */
async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  signal.addEventListener("abort", onAbort, { once: true });
  await Promise.race([promise, aborted]);
  signal.removeEventListener("abort", onAbort);
}
