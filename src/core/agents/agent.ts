import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "./agent-id.ts";
import type { ActivationContext, DeactivationReason } from "./agent-life.ts";
import type { MessageContext } from "./message-context.ts";
import type { TurnKind } from "./turns.ts";
import type { UnfinishedRun } from "./unfinished-run.ts";

/** Describes an agent: the two parts of its id, and a text for people. */
export interface AgentMetadata {
  readonly type: string;
  readonly key: string;
  readonly description: string;
}

/** The saved state of an agent: any JSON object. */
export type AgentState = { readonly [field: string]: unknown };

/**
 * An actor with an id: it handles messages, and its state is its own. Its handlers interleave: while one awaits something, the
 * runtime gives the agent its next message, so that a field may have changed after an `await`. An agent of a
 * `sequential` type handles one message at a time, and lets in calls that its own turn waits for.
 */
export interface Agent {
  /** Throws `wrong-state` until the agent is bound. */
  readonly id: AgentId;
  /** Type, key and description. Throws `wrong-state` until the agent is bound. */
  readonly metadata: AgentMetadata;
  /** Called once by the runtime before the first message; binding to another id or runtime throws `wrong-state`. */
  bindIdAndRuntime(id: AgentId, runtime: AgentRuntime): void | Promise<void>;
  /** Returns or resolves to the answer of a call; what an event's handler returns is ignored. */
  onMessage(message: unknown, context: MessageContext): unknown;
  /** Says how a message takes its turn at a sequential agent, before it is handled. Default: `alone`. */
  turnKind?(message: unknown, context: MessageContext): TurnKind;
  /**
   * Continues a run of a persistent agent whose worker was lost while its handler ran: yields the chunks that follow, and returns the answer. It is a
   * turn as that of the run's message. The state is that of the last commit. Without it the run fails as `disconnected`.
   */
  continueRun?(run: UnfinishedRun, context: MessageContext): unknown;
  /** Returns the state that `loadState` takes back. */
  saveState(): AgentState | Promise<AgentState>;
  /** Takes over a state that `saveState` returned. */
  loadState(state: AgentState): void | Promise<void>;
  /** Called once before the first message. If it throws or rejects, every waiting message has that error, and the agent is closed. */
  onActivate?(context: ActivationContext): void | Promise<void>;
  /** Called once after the last message, before `close`. */
  onDeactivate?(reason: DeactivationReason): void | Promise<void>;
  /** Called once when the runtime deactivates the agent, or closes. */
  close(): void | Promise<void>;
}

/** Names the agent that a factory makes, and its runtime; `AgentInstantiationContext` in AutoGen, here passed in. */
export interface AgentFactoryContext {
  readonly id: AgentId;
  readonly runtime: AgentRuntime;
}

/** Makes an agent when the first message for its id arrives. */
export type AgentFactory<T extends Agent = Agent> = (context: AgentFactoryContext) => T | Promise<T>;

/** A class whose instances are `T`. It may be abstract. */
export type ClassOf<T> = abstract new (...args: never[]) => T;
