import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { MessageContext } from "../../agents/message-context.ts";
import { TroupeError } from "../../errors.ts";
import { isSameTurn, nameInPath, type OwnTurn, turnsOf, waitingTurns } from "../../scope/call-path.ts";
import { HandlerContext } from "../handler-context.ts";
import type { Delivery } from "../layers.ts";
import type { SharedTurns } from "./agent-turns.ts";
import type { WatchedQueue, WatchedTurn } from "./long-waits.ts";

/** The turns of each runtime. */
const sharedTurns = new WeakMap<AgentRuntime, SharedTurns>();

/** Lets agents of the runtime keep lines of their own. */
export function shareTurns(runtime: AgentRuntime, shared: SharedTurns): void {
  sharedTurns.set(runtime, shared);
}

/**
 * The turn of a message in a line that its agent keeps itself, since its handlers interleave. The calls of the handler name the turn, so that
 * calls which wait for each other are found. Each message makes one, before it waits.
 */
export class TurnInLine implements WatchedTurn, OwnTurn {
  readonly kind = "alone";
  readonly token: string;
  readonly type: string;
  readonly key: string;
  readonly delivery: Delivery;
  seenMs: number | undefined;
  readonly #agent: Agent;
  readonly #context: HandlerContext;
  readonly #shared: SharedTurns;

  private constructor(agent: Agent, { agentId, context, shared }: LinedMessage) {
    this.#agent = agent;
    this.#context = context;
    this.#shared = shared;
    this.type = nameInPath(agentId.type);
    this.key = nameInPath(agentId.key);
    this.delivery = { agentId, message: undefined, context, link: undefined };
    this.token = context.turn?.token ?? shared.tokenOf(this.delivery);
  }

  /** Makes the turn of a message. Undefined: no runtime has made the context. */
  static of(agent: Agent, context: MessageContext): TurnInLine | undefined {
    if (!(context instanceof HandlerContext)) return undefined;
    const { agentId, runtime } = context.scope;
    const shared = sharedTurns.get(runtime);
    return shared && new TurnInLine(agent, { agentId, context, shared });
  }

  /** Whether the caller of the message still waits. */
  get isAwaited(): boolean {
    return this.#context.isAwaited;
  }

  get hasPath(): boolean {
    return this.#context.path.length > 0;
  }

  /** The message has its turn: the paths of its calls name it from now on. */
  begin(): void {
    this.seenMs = undefined;
    // A sequential agent has given it a turn already.
    if (this.#context.turn !== undefined) return;
    this.#context.turn = this;
    this.#shared.paths.list(this.#agent, this.#context);
  }

  /** The turn has ended. Does nothing if it has not begun. */
  end(): void {
    if (this.#context.turn !== this) return;
    this.#context.unlist?.();
    this.#context.turn = undefined;
  }

  /** Notes that a turn of the line has begun or ended, or that a message has begun or ceased to wait. */
  changed(line: WatchedQueue): void {
    this.#shared.longWaits?.changed(line);
  }

  /** Throws `deadlock` if this message would wait for a turn that waits for it. */
  assertNotAwaitedBy(running: TurnInLine): void {
    const { path, sender } = this.#context;
    if (path.length === 0 || !waitingTurns(path).some((turn) => isSameTurn(turn, running))) return;
    const ring = this.#ringFrom(running, sender);
    const what = `The call to ${this.type}/${this.key} would wait for a turn that waits for it: ${ring}. None of them could end.`;
    throw new TroupeError("deadlock", `${what} Ask an agent with another key.`);
  }

  /** Names the agents from the running turn to this message. A path does not name agents that interleave; the last of them is the sender. */
  #ringFrom(running: TurnInLine, sender: AgentId | undefined): string {
    const turns = turnsOf(this.#context.path);
    const ring = turns.slice(turns.findIndex((turn) => isSameTurn(turn, running)));
    const names: string[] = [];
    for (const [at, { type, key, via = [] }] of ring.entries()) {
      names.push(`${type}/${key}`);
      // Behind the last turn stands the call of the sender, if its handler has no turn.
      const named = at === ring.length - 1 && via.length > 0 ? sender : undefined;
      if (via.length > (named === undefined ? 0 : 1)) names.push("…");
      if (named !== undefined) names.push(`${nameInPath(named.type)}/${nameInPath(named.key)}`);
    }
    return [...names, `${this.type}/${this.key}`].join(" → ");
  }
}

/** A message of an agent that keeps its own line. */
interface LinedMessage {
  readonly agentId: AgentId;
  readonly context: HandlerContext;
  readonly shared: SharedTurns;
}
