import {
  type AgentCatalog,
  AnswerCodec,
  type CodecRegistry,
  createStateLayers,
  errorText,
  loggableText,
  type StateKeeper,
  type StateLayers,
  type StateStore,
  StoreKeeper,
} from "../core/internal.ts";
import type { SendQueue } from "./outbound/send-queue.ts";
import type { WorkerCounters } from "./worker-counters.ts";
import type { WorkerSettings } from "./worker-options.ts";

/** Makes the keeper of a worker that has no store of its own. Undefined: it has none now. */
export type CreateKeeper = () => StateKeeper<Uint8Array> | undefined;

export interface KeptAgentsOptions {
  readonly settings: Pick<WorkerSettings, "logger" | "preferredContentType">;
  readonly registry: CodecRegistry;
  readonly catalog: () => AgentCatalog;
  readonly sendQueue: () => SendQueue;
  readonly counts: WorkerCounters;
  readonly stateStore: StateStore | undefined;
  readonly createKeeper: CreateKeeper;
}

/**
 * Returns the layers that keep this worker's persistent agents: in its own store, else with the keeper that its connection makes. What
 * leaves with a commit is the bytes of a frame.
 */
export function createKeptAgents(options: KeptAgentsOptions): StateLayers<Uint8Array> {
  const { settings, registry, catalog, sendQueue, counts, stateStore, createKeeper } = options;
  const { logger, preferredContentType } = settings;
  const onLost = (error: unknown) => {
    counts.lostEvents += 1;
    const kind = "An event of a persistent agent was lost";
    logger.debug(loggableText(`${kind}: ${errorText(error)}`), undefined, kind);
  };
  const send = (frame: Uint8Array) => {
    try {
      sendQueue().publish(frame, undefined)?.catch(onLost);
    } catch (error) {
      onLost(error);
    }
  };
  const own = stateStore && new StoreKeeper<Uint8Array>({ store: stateStore, send });
  return createStateLayers<Uint8Array>({
    keeper: () => own ?? createKeeper(),
    isSequential: (type) => catalog().turnsOf(type) !== undefined,
    forget: (id, agent) => catalog().forget(id, agent),
    codec: new AnswerCodec(registry, preferredContentType),
    // An answer that can't be encoded fails its turn before the commit.
    assertSendable: (_delivery, answer) => void registry.encode(answer, preferredContentType),
  });
}
