import {
  type Agent,
  type AgentCatalog,
  type AgentId,
  type AgentName,
  AnswerCodec,
  type CodecRegistry,
  createStateLayers,
  type Delivery,
  definitionOf,
  type Epoch,
  errorText,
  loggableText,
  type RegisterFactoryOptions,
  type ReminderChange,
  type StateLayers,
  type StateStore,
  StoreKeeper,
  sharingTerms,
  TroupeError,
} from "../core/internal.ts";
import { peekFrame, withoutDepth } from "../protocol/internal.ts";
import { type Hosted, HostedKeeper, type HostStates } from "./agents/hosted-keeper.ts";
import type { PendingResponse } from "./inbound/pending-response.ts";
import { RidingAnswer } from "./inbound/riding-answer.ts";
import type { SendQueue } from "./outbound/send-queue.ts";
import type { WorkerCounters } from "./worker-counters.ts";
import type { WorkerSettings } from "./worker-options.ts";

export interface KeptAgentsOptions {
  readonly settings: Pick<WorkerSettings, "logger" | "preferredContentType">;
  readonly registry: CodecRegistry;
  readonly catalog: () => AgentCatalog;
  readonly sendQueue: () => SendQueue;
  readonly counts: WorkerCounters;
  readonly stateStore: StateStore | undefined;
  /** The way to the states at the present host; undefined without a connection. */
  readonly hostStates: () => HostStates | undefined;
  /** Whether the present host keeps runs. Undefined: that is not known. */
  readonly hostKeepsRuns: () => boolean | undefined;
  /** An agent has deleted itself. */
  readonly onDestroyed: (id: AgentId) => void;
  /** Reminders of an agent were set or cancelled: ticks that wait for their turn are not handled any more. */
  readonly remindersChanged: (agent: AgentName, changes: readonly ReminderChange[]) => void;
  /** Returns the epoch under which the host has placed an agent here. */
  readonly epochOf: (id: AgentId) => Epoch | undefined;
  /** Whether the present host keeps no states, as far as it is known. */
  readonly isStateless: () => boolean;
}

/**
 * Returns the layers that keep this worker's persistent agents: in its own store, else at its host. What leaves with a commit is the bytes
 * of a frame.
 */
export function createKeptAgents(options: KeptAgentsOptions): KeptAgents {
  const {
    settings,
    registry,
    catalog,
    sendQueue,
    counts,
    stateStore,
    hostStates,
    isStateless,
    remindersChanged,
    epochOf,
  } = options;
  const { logger, preferredContentType } = settings;
  const onLost = (error: unknown) => {
    counts.lostEvents += 1;
    const kind = "An event of a persistent agent was lost";
    logger.debug(loggableText(`${kind}: ${errorText(error)}`), undefined, kind);
  };
  const send = (frame: Uint8Array) => {
    try {
      sendQueue()
        .publish({ bytes: frame, withoutPath: withoutDepthOf(frame) }, undefined)
        ?.catch(onLost);
    } catch (error) {
      onLost(error);
    }
  };
  const common = {
    isSequential: (type: string) => catalog().turnsOf(type) !== undefined,
    runAhead: (type: string) => catalog().turnsOf(type)?.runAhead ?? 0,
    forget: (...activation: Parameters<AgentCatalog["forget"]>) => {
      if (activation[2] === "destroyed") options.onDestroyed(activation[0]);
      return catalog().forget(...activation);
    },
    codec: new AnswerCodec(registry, preferredContentType),
  };
  if (stateStore !== undefined) {
    const own = new StoreKeeper<Uint8Array>({ store: stateStore, send });
    const state = createStateLayers<Uint8Array>({
      ...common,
      keeper: () => own,
      // An answer that can't be encoded fails its turn before the commit.
      assertSendable: ({ owed }: CallDelivery, answer) => {
        registry.encode(answer, preferredContentType);
        owed?.beginCommit();
      },
    });
    return { state, hosted: undefined };
  }
  const hosted = new HostedKeeper({
    ...{ host: hostStates, hostKeepsRuns: options.hostKeepsRuns, sendEvent: send, remindersChanged },
  });
  const state = createStateLayers<Hosted>({
    ...common,
    keeper: () => (isStateless() ? undefined : hosted),
    loadsInstancesLate: true,
    epochOf,
    answerBytes: (answer) => (answer instanceof Uint8Array ? answer.length : answer.bytes.length),
    // `riding` encodes the answer, and fails the turn if it can't.
    assertSendable: () => undefined,
    riding: ({ owed, kept, agentId: target, context }: CallDelivery, answer) =>
      owed && RidingAnswer.of({ owed, answer, target, sender: context.sender, isRemembered: kept !== undefined }),
  });
  return { state, hosted };
}

/** The layers of a worker's persistent agents, and the keeper at the host; undefined: the worker has a store of its own. */
export interface KeptAgents {
  readonly state: StateLayers<Uint8Array> | StateLayers<Hosted>;
  readonly hosted: HostedKeeper | undefined;
}

/**
 * Throws `invalid-argument` for a shared type whose agents would keep their state in a store that other workers can't write. An agent that
 * goes to another worker would begin anew there.
 */
export function assertStateIsShared(
  type: string,
  options: RegisterFactoryOptions<Agent> = {},
  stateStore: StateStore | undefined,
): void {
  const { expectedClass } = options;
  if (stateStore?.writers !== "one" || definitionOf(expectedClass) === undefined) return;
  if (sharingTerms(options, expectedClass) === undefined) return;
  const text = `The agents of type ${type} are shared and keep a state, and no other worker can write this worker's own stateStore.`;
  throw new TroupeError(
    "invalid-argument",
    `${text} Leave stateStore out, so that the host keeps the states, or give all workers one store for many writers.`,
  );
}

/** A message that a handler works on, with the answer that it is owed if it is a call. */
type CallDelivery = Delivery & { readonly owed?: PendingResponse | undefined };

// protocol.md §11.13
/** Returns what makes the bytes of an event for a host that knows no paths. Undefined: it gets the event as it is. */
function withoutDepthOf(frame: Uint8Array): (() => Uint8Array) | undefined {
  const event = peekFrame(frame);
  if (event.kind !== "event") return undefined;
  const bare = withoutDepth(event);
  return bare === event ? undefined : () => bare.bytes;
}
