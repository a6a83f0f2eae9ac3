import {
  type Agent,
  type AgentFactory,
  AgentId,
  type AgentMetadata,
  type AgentRuntime,
  type AgentState,
  AgentType,
  type AmbientContexts,
  type LogFields,
  type Logger,
  type MessageContext,
  type MessageType,
  type PublishOptions,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type ReminderInfo,
  type SendOptions,
  type Subscription,
  type TellOptions,
  type TopicId,
  TroupeError,
} from "troupe";
import { agentTypeText } from "../../../../src/core/internal.ts";

/** A runtime that carries nothing: it notes what agents ask of it, in order, and answers with what a test put in. */
export class RecordingRuntime implements AgentRuntime {
  readonly asked: string[] = [];
  readonly warnings: string[] = [];
  readonly infos: string[] = [];
  readonly subscriptions: Subscription[] = [];
  readonly types: MessageType[] = [];
  readonly factories = new Map<string, AgentFactory>();
  lastSend: SendOptions | undefined;
  lastTold: TellOptions | undefined;
  lastPublish: PublishOptions | undefined;
  answer: (message: unknown) => unknown = () => undefined;
  expectedClass: unknown;
  readonly ambient: AmbientContexts | undefined = undefined;

  readonly logger: Logger = {
    debug: () => undefined,
    info: (text: string, _fields?: LogFields) => void this.infos.push(text),
    warn: (text: string) => void this.warnings.push(text),
    error: (text: string) => void this.warnings.push(text),
  };

  // biome-ignore lint/suspicious/noExplicitAny: one implementation for both of the port's typed forms
  async sendMessage(message: unknown, recipient: AgentId, options?: SendOptions): Promise<any> {
    this.asked.push(`send to ${recipient}`);
    this.lastSend = options;
    return this.answer(message);
  }
  stream(_message: unknown, recipient: AgentId): never {
    throw new TroupeError("not-accessible", `No stream of ${recipient} in this test.`);
  }
  startRun(_message: unknown, recipient: AgentId): never {
    throw new TroupeError("not-accessible", `No run of ${recipient} in this test.`);
  }
  attachRun(recipient: AgentId): never {
    throw new TroupeError("not-accessible", `No run of ${recipient} in this test.`);
  }
  listRuns(recipient: AgentId): never {
    throw new TroupeError("not-accessible", `No runs of ${recipient} in this test.`);
  }
  async publishMessage(_message: unknown, topicId: TopicId, options?: PublishOptions): Promise<void> {
    this.asked.push(`publish to ${topicId}`);
    this.lastPublish = options;
  }
  async tell(_message: unknown, recipient: AgentId, options?: TellOptions): Promise<void> {
    this.asked.push(`tell ${recipient}`);
    this.lastTold = options;
  }
  async registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType> {
    this.asked.push(`factory ${agentTypeText(type)}`);
    this.factories.set(agentTypeText(type), factory);
    this.expectedClass = options?.expectedClass;
    for (const subscription of options?.subscriptions ?? []) await this.addSubscription(subscription);
    return new AgentType(agentTypeText(type));
  }
  async registerAgentInstance(
    agent: Agent,
    id: AgentId,
    { subscriptions = [] }: RegisterAgentInstanceOptions = {},
  ): Promise<AgentId> {
    this.asked.push(`instance ${id}`);
    await agent.bindIdAndRuntime(id, this);
    for (const subscription of subscriptions) {
      if (!this.#has(subscription)) await this.addSubscription(subscription);
    }
    return id;
  }
  async deactivateAgent(id: AgentId): Promise<void> {
    this.asked.push(`deactivate ${id}`);
  }
  async destroyAgent(id: AgentId): Promise<void> {
    this.asked.push(`destroy ${id}`);
  }
  async addSubscription(subscription: Subscription): Promise<void> {
    if (this.#has(subscription)) throw new TroupeError("already-exists", "Subscription already exists");
    this.asked.push(`subscribe ${pattern(subscription)}`);
    this.subscriptions.push(subscription);
  }
  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    const list = [types].flat();
    this.asked.push(`types ${list.map(({ typeName }) => typeName).join(" ")}`);
    this.types.push(...list);
  }
  async agentMetadata(id: AgentId): Promise<AgentMetadata> {
    return { type: id.type, key: id.key, description: "recorded" };
  }
  async agentReminders(): Promise<readonly ReminderInfo[]> {
    return [];
  }
  async agentSaveState(id: AgentId): Promise<AgentState> {
    return { of: String(id) };
  }
  async agentLoadState(id: AgentId, state: AgentState): Promise<void> {
    this.asked.push(`load ${id} ${JSON.stringify(state)}`);
  }

  /** An agent of a registered type, made and bound as a runtime does it. */
  async make(type: string, key = "default"): Promise<Agent> {
    const id = new AgentId(type, key);
    const agent = await this.factories.get(type)?.({ id, runtime: this });
    if (agent === undefined) throw new Error(`${type} is not registered`);
    await agent.bindIdAndRuntime(id, this);
    return agent;
  }

  async get(): Promise<AgentId> {
    throw new Error("not recorded");
  }
  async tryGetUnderlyingAgentInstance(): Promise<never> {
    throw new Error("not recorded");
  }
  async removeSubscription(): Promise<void> {
    throw new Error("not recorded");
  }
  async saveState(): Promise<AgentState> {
    return {};
  }
  async loadState(): Promise<void> {}
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  #has(subscription: Subscription): boolean {
    return this.subscriptions.some((other) => other.equals(subscription));
  }
}

function pattern(subscription: Subscription): string {
  if ("topicType" in subscription) return `type ${subscription.topicType}`;
  return "topicTypePrefix" in subscription ? `prefix ${subscription.topicTypePrefix}` : subscription.id;
}

const neverAborted = new AbortController().signal;

/** The context of a call, or of an event when `topicId` is given. */
export function contextOf(given: Partial<MessageContext> = {}): MessageContext {
  const isRpc = given.topicId === undefined;
  return {
    sender: undefined,
    principal: undefined,
    topicId: undefined,
    isRpc,
    isStreamed: false,
    messageId: "m1",
    reminder: undefined,
    metadata: {},
    signal: neverAborted,
    deadline: undefined,
    get scope(): never {
      throw new Error("no scope is given");
    },
    ...given,
  };
}

/** Binds an agent to a recording runtime under `test/default`. */
export function bound<T extends Agent>(agent: T, runtime = new RecordingRuntime()): T {
  void agent.bindIdAndRuntime(new AgentId("test", "default"), runtime);
  return agent;
}
