import { pathToFileURL } from "node:url";
import * as z from "zod";
import type { OpenAddress } from "../../../src/admin/internal.ts";
import {
  AgentId,
  CantHandleException,
  defineMessage,
  defineState,
  event,
  type MessageOf,
  persistentAgent,
  RoutedAgent,
  rpc,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { AdminRig } from "../../integration/admin/admin-rig.ts";
import { Gate } from "../gate.ts";
import { ensurePage } from "./ensure-page.ts";
import { recordedTracing } from "./traced.ts";

export const Add = defineMessage("PageAdd", z.object({ amount: z.number() }));
export const Remind = defineMessage("PageRemind", z.object({}));
export const Quick = defineMessage("PageQuick", z.object({}));
export const Plan = defineMessage("PagePlan", z.object({}));
export const Wait = defineMessage("PageWait", z.object({}));

const Price = defineMessage("PagePrice", z.object({ amount: z.number(), lines: z.array(z.string()) }));
const Quote = defineMessage(
  "PageQuote",
  z.object({
    item: z.string().describe("What is asked for"),
    count: z.number().int(),
    colour: z.enum(["red", "blue"]),
    to: z.object({ street: z.string() }).optional(),
    tags: z.array(z.string()).optional(),
  }),
  { answer: Price },
);
const Stocked = defineMessage("PageStocked", z.object({ item: z.string() }));

const Cart = defineState(
  z.object({ total: z.number(), items: z.array(z.object({ name: z.string(), price: z.number() })) }),
  {
    initial: { total: 0, items: [] },
  },
);

/** Whose messages the told ones are. */
export const boss = new AgentId("archive", "boss");

/** An agent with a state and a reminder. */
export class Shopper extends persistentAgent(Cart) {
  /** Whether it can handle negative amounts. */
  static takesNegative = false;

  @rpc(Add)
  add({ amount }: MessageOf<typeof Add>) {
    if (amount < 0 && !Shopper.takesNegative) throw new CantHandleException("a negative amount");
    this.state.total += amount;
    this.state.items.push({ name: `item ${this.state.items.length + 1}`, price: amount });
  }

  @rpc(Remind)
  async remind() {
    await this.remindMe("ask-again", { after: 3_600_000 }, Add({ amount: 1 }));
  }
}

/** Answers when the test opens its gate. */
class Slow extends RoutedAgent {
  readonly #gate: Gate;

  constructor(gate: Gate) {
    super("slow");
    this.#gate = gate;
  }

  @rpc(Wait)
  async wait() {
    await this.#gate.opened;
  }
}

/** Answers at once. */
class Swift extends RoutedAgent {
  @rpc(Quick)
  quick() {}

  @rpc(Quote)
  quote({ item, count, colour, to, tags = [] }: MessageOf<typeof Quote>) {
    if (count > 99) throw new RangeError("there are not so many");
    return Price({ amount: 2 * count, lines: [`${count} ${colour} ${item}`, to?.street ?? "no street", ...tags] });
  }

  @event(Stocked)
  stocked() {}
}

/** Asks two others, and publishes that it is done. */
class Planner extends RoutedAgent {
  @rpc(Plan)
  async plan() {
    await this.sendMessage(Quick({}), new AgentId("quick", "7"));
    await this.sendMessage(Wait({}), new AgentId("slow", "7"));
    await this.publishMessage(Quick({}), new TopicId("planned", "here"));
  }
}

/** A host whose admin entry serves the page, and a worker with agents. */
export class PageWorld implements AsyncDisposable {
  readonly rig: AdminRig;
  readonly worker: WorkerRuntime;
  /** Agents of the type `slow` answer when it opens. */
  readonly gate: Gate;

  private constructor(rig: AdminRig, worker: WorkerRuntime, gate: Gate) {
    this.rig = rig;
    this.worker = worker;
    this.gate = gate;
  }

  /** `address`: one for principals, beside that of this machine. */
  static async open(address?: OpenAddress): Promise<PageWorld> {
    const folder = await ensurePage("build/ui");
    const pageFolder = pathToFileURL(`${folder}/`);
    const rig = await AdminRig.open({}, { pageFolder, ...(address !== undefined && { open: address }) });
    const gate = new Gate();
    const options = { name: "shop-1", version: "2.4.0", labels: { zone: "eu" }, tracing: recordedTracing() };
    const worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", ...options, logger: quiet });
    await worker.start();
    await Shopper.register(worker, "shopper", () => new Shopper("a shopper"), { shared: true });
    await Shopper.register(worker, "archive", () => new Shopper("an archive"));
    await Planner.register(worker, "planner", () => new Planner("a planner"));
    await Swift.register(worker, "quick", () => new Swift("quick"));
    await worker.addSubscription(new TypeSubscription("stock", "quick"));
    await Slow.register(worker, "slow", () => new Slow(gate));
    return new PageWorld(rig, worker, gate);
  }

  /** Stores states of so many agents of the type `archive`. */
  async store(agents: number): Promise<void> {
    const data = Buffer.from(JSON.stringify({ total: 0, items: [] }));
    const write = { at: "put", contentType: "application/json", schemaVersion: 1, data } as const;
    const parts = { epoch: undefined, expected: { at: "nothing" }, reminders: [], mail: [], remembered: [] } as const;
    for (let from = 0; from < agents; from += 500) {
      const keys = Array.from({ length: 500 }, (_, at) => String(from + at).padStart(6, "0"));
      await this.rig.store.commit(keys.map((key) => ({ agent: { type: "archive", key }, write, ...parts })));
    }
  }

  /** Of the page at the address for principals. */
  get openUrl(): string {
    return `${this.rig.entry.openUrl}/`;
  }

  get url(): string {
    return `${this.rig.entry.url}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate.open();
    await this.worker[Symbol.asyncDispose]();
    await this.rig[Symbol.asyncDispose]();
  }
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
