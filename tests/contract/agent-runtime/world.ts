import { type TestFunction, test } from "vitest";
import { z } from "zod";
import {
  type AgentRuntime,
  BaseAgent,
  defineMessage,
  type MessageContext,
  type MessageLogRecord,
  type RuntimeOptions,
  type SingleThreadedAgentRuntimeOptions,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { MemoryStateStore, type StateStore } from "../../../src/storage/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** One or two started runtimes. In process both are the same one; over links they are two workers on one host. */
export interface World {
  /** Where the tests send and publish. */
  readonly caller: AgentRuntime;
  /** Where the agents live. */
  readonly callee: AgentRuntime;
  /** Ends the runtimes as their users do; twice is fine. */
  close(): Promise<void>;
}

/** Options of runtimes that keep reminders. */
type KeptOptions = Pick<SingleThreadedAgentRuntimeOptions, "cron">;

export interface WorldOptions {
  readonly caller?: RuntimeOptions;
  readonly callee?: RuntimeOptions & KeptOptions;
  /** The store of the callee's persistent agents. Default: in memory. */
  readonly stateStore?: StateStore;
}

export type MakeWorld = (options: WorldOptions) => Promise<World>;

/** What an adapter may do otherwise, each with a reason given by whoever plugs it in. */
export type Deviation =
  /** Caller and callee are one runtime: nothing is remote. */
  | "one-runtime"
  /** The callee sees an id of the wire, not the caller's `messageId`. */
  | "calls-have-wire-ids"
  /** No chunks go from the callee to the caller. */
  | "no-streams"
  /** No messages and reminders are kept for agents. */
  | "keeps-nothing";

export type Deviations = Partial<Record<Deviation, string>>;

export const Answer = defineMessage("ContractAnswer", z.object({ text: z.string() }));
export const Ask = defineMessage("ContractAsk", z.object({ text: z.string() }), { answer: Answer });
/** Names no answer. */
export const Order = defineMessage("ContractOrder", z.object({ text: z.string() }));
export const Note = defineMessage("ContractNote", z.object({ text: z.string() }));

export type Handle = (message: { readonly text: string }, context: MessageContext, probe: Probe) => unknown;

/** An agent that does what the test says. */
export class Probe extends BaseAgent {
  readonly #handle: Handle;
  closed = 0;
  state: Record<string, unknown> = {};

  constructor(handle: Handle = () => undefined) {
    super("a probe");
    this.#handle = handle;
  }

  protected override onMessageImpl(message: { readonly text: string }, context: MessageContext): unknown {
    return this.#handle(message, context, this);
  }

  override saveState(): Record<string, unknown> {
    return this.state;
  }

  override loadState(state: Record<string, unknown>): void {
    this.state = state;
  }

  override close(): void {
    this.closed += 1;
  }
}

/** Answers `Ask` with the text it got and its own id. */
export const echo: Handle = (message, _context, probe) => Answer({ text: `${message.text} from ${probe.id}` });

export interface Seen {
  readonly by: string;
  readonly text: string;
  readonly context: MessageContext;
}

/** A handle that puts what it sees into an inbox. */
export function seeInto(inbox: Inbox<Seen>): Handle {
  return (message, context, probe) => inbox.put({ by: probe.id.toString(), text: message.text, context });
}

/** What a record of the message log says, without its payload. */
export function brief(event: MessageLogRecord): string {
  switch (event.type) {
    case "Message": {
      const [kind, stage] = [event.kind, event.delivery_stage].map((name) => name.split(".")[1]);
      return `${kind}/${stage} ${event.sender} -> ${event.receiver}`;
    }
    case "MessageDropped":
      return `dropped ${event.sender} -> ${event.receiver}`;
    case "MessageHandlerException":
      return `${event.handling_agent} threw ${event.exception}`;
    case "AgentConstructionException":
      return `${event.agent_id} not made: ${event.exception}`;
  }
}

/** A world with what tests usually need around it; closed when the test ends. */
export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly seen = new Inbox<Seen>();
  /** For agents of a test's own. */
  readonly texts = new Inbox<string>();
  /** What both runtimes log. */
  readonly logger: RecordingLogger;

  constructor(world: World, logger: RecordingLogger) {
    this.world = world;
    this.logger = logger;
  }

  get caller(): AgentRuntime {
    return this.world.caller;
  }

  get callee(): AgentRuntime {
    return this.world.callee;
  }

  /** Registers a type whose agents do `handle`; returns the agents as they are made. */
  async host(type: string, handle: Handle = echo): Promise<Probe[]> {
    const probes: Probe[] = [];
    await this.callee.registerFactory(type, () => {
      const probe = new Probe(handle);
      probes.push(probe);
      return probe;
    });
    return probes;
  }

  /** Registers a type whose agents put events on `topicType` into `seen`. */
  async listen(topicType: string, type: string): Promise<Probe[]> {
    const probes = await this.host(type, seeInto(this.seen));
    await this.callee.addSubscription(new TypeSubscription(topicType, type));
    return probes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world.close();
  }
}

/** What each part of the suite is given. */
export interface Suite {
  /** Call it with `await using`. */
  openStage(options?: WorldOptions): Promise<Stage>;
  /** A test that an adapter with this deviation leaves out, telling why. */
  unless(deviation: Deviation, title: string, body: TestFunction): void;
}

export function createSuite(makeWorld: MakeWorld, deviations: Deviations): Suite {
  return {
    async openStage(options = {}) {
      const logger = new RecordingLogger();
      const { stateStore = new MemoryStateStore() } = options;
      const ends = { caller: { logger, ...options.caller }, callee: { logger, ...options.callee } };
      const world = await makeWorld({ ...ends, stateStore });
      for (const runtime of new Set([world.caller, world.callee])) {
        runtime.addMessageSerializer([Ask, Answer, Order, Note]);
      }
      return new Stage(world, logger);
    },
    unless(deviation, title, body) {
      const reason = deviations[deviation];
      if (reason === undefined) test(title, body);
      else test(`${title} (left out: ${reason})`, (context) => context.skip(reason));
    },
  };
}
