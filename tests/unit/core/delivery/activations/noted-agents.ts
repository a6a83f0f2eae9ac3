import {
  type ActivationContext,
  type Agent,
  AgentId,
  BaseAgent,
  type DeactivationReason,
  SingleThreadedAgentRuntime,
} from "../../../../../src/core/index.ts";
import {
  type ActivationStates,
  AgentCatalog,
  type AgentCatalogOptions,
  createActivationCounters,
} from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { Gate } from "../../../../support/gate.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";

export const id = new AgentId("a", "k");

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What a test changes about the agents. */
export interface Hooks {
  readonly onActivate?: (context: ActivationContext, agent: Noted) => unknown;
  readonly onDeactivate?: (reason: DeactivationReason) => unknown;
}

export class Noted extends BaseAgent {
  readonly #lines: string[];
  readonly #hooks: Hooks;

  constructor(lines: string[], hooks: Hooks) {
    super("noted");
    this.#lines = lines;
    this.#hooks = hooks;
  }

  override async onActivate(context: ActivationContext): Promise<void> {
    this.#lines.push(`onActivate (new: ${context.isNew})`);
    await this.#hooks.onActivate?.(context, this);
  }

  override async onDeactivate(reason: DeactivationReason): Promise<void> {
    this.#lines.push(`onDeactivate (${reason})`);
    await this.#hooks.onDeactivate?.(reason);
  }

  override close(): void {
    this.#lines.push("close");
  }

  protected override onMessageImpl(): void {}
}

/** A runtime's states, which note what is asked of them. Its agents keep a state. */
export class NotedStates implements ActivationStates {
  readonly loadsInstancesLate = false;
  readonly lines: string[];
  isNew = true;
  failsToSave = false;
  failsToDestroy = false;
  readonly destroying = new Gate();

  constructor(lines: string[]) {
    this.lines = lines;
  }

  assertKept(type: string, _agentClass: unknown, isSequential: boolean): boolean {
    if (type === "unkept") throw new Error("not kept here");
    this.lines.push(`assertKept ${type} ${isSequential}`);
    return true;
  }

  async load(agent: Agent, loaded: AgentId): Promise<{ readonly isNew: boolean }> {
    this.lines.push(`load ${loaded} as ${agent.id}`);
    await turn();
    return { isNew: this.isNew };
  }

  async save(): Promise<void> {
    await turn();
    if (this.failsToSave) throw new Error("the store is full");
    this.lines.push("save");
  }

  drop(): void {
    this.lines.push("drop");
  }

  async destroy(destroyed: AgentId): Promise<void> {
    await this.destroying.opened;
    if (this.failsToDestroy) throw new Error("the store is gone");
    this.lines.push(`destroy ${destroyed}`);
  }
}

export function open(options: Partial<AgentCatalogOptions> & { readonly hooks?: Hooks } = {}) {
  const logger = new RecordingLogger();
  const runtime = new SingleThreadedAgentRuntime({ logger });
  const lines: string[] = [];
  const states = new NotedStates(lines);
  const clock = new ManualClock();
  const counts = createActivationCounters();
  const catalog = new AgentCatalog({ runtime, clock, counts, states, logger, ...options });
  const factory = () => new Noted(lines, options.hooks ?? {});
  return { catalog, clock, counts, states, lines, factory, logger };
}

/** Lets all that waits for nothing end. */
export async function settle(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await turn();
}
