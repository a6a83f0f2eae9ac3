// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  AgentId,
  type AgentProxy,
  type AgentRuntime,
  type AnswerOf,
  ClosureAgent,
  type ClosureContext,
  classMessage,
  defineMessage,
  type MessageOf,
  type NotAMessage,
  RoutedAgent,
  type Sendable,
  type SingleThreadedAgentRuntime,
  TopicId,
  type UnknownPayload,
} from "troupe";
import { protobufMessage } from "troupe/protobuf";
import type { WorkerRuntime } from "troupe/worker";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;

const Price = defineMessage("Price", z.object({ cents: z.number() }));
const AskPrice = defineMessage("AskPrice", z.object({ drink: z.string() }), { answer: Price });
const Report = defineMessage("Report", z.object({ name: z.string(), message: z.string() }));
class Order {
  readonly drink: string;
  constructor(drink: string) {
    this.drink = drink;
  }
}
const OrderMessage = classMessage("Order", Order);
const Duration = protobufMessage(DurationSchema);

declare const runtime: AgentRuntime;
const barista = new AgentId("barista", "1");
const orders = new TopicId("orders", "1");

// Values of declared types are messages, and so are instances of classes.
await runtime.sendMessage(AskPrice({ drink: "tea" }), barista);
await runtime.sendMessage(new Order("tea"), barista);
await runtime.sendMessage(Duration.create({ seconds: 1n }), barista);
await runtime.sendMessage(create(DurationSchema), barista);
await runtime.publishMessage(Report({ name: "Error", message: "no milk" }), orders);
await runtime.publishMessage({} as UnknownPayload, orders);
declare const either: MessageOf<typeof AskPrice> | Order;
await runtime.publishMessage(either, orders);
declare const frozen: Readonly<MessageOf<typeof AskPrice>>;
exactly<MessageOf<typeof Price>, Awaited<ReturnType<typeof askFrozen>>>(true);
export const askFrozen = () => runtime.sendMessage(frozen, barista);

// @ts-expect-error nothing is not a message
await runtime.publishMessage(undefined, orders);
declare const perhaps: Order | undefined;
// @ts-expect-error there may be nothing to send
await runtime.sendMessage(perhaps, barista);

// What the compiler can't know is sent on purpose: the runtime checks it.
declare const anything: unknown;
const answer = await runtime.sendMessage(anything, barista);
exactly<unknown, typeof answer>(true);
await runtime.publishMessage(JSON.parse("{}"), orders);

// What no worker could send does not compile, and the error says what to do.
// @ts-expect-error a number
await runtime.publishMessage(42, orders);
// @ts-expect-error a text
await runtime.sendMessage("tea", barista);
// @ts-expect-error the message type instead of a value of it
await runtime.sendMessage(AskPrice, barista);
// @ts-expect-error the message type of a class instead of an instance
await runtime.sendMessage(OrderMessage, barista);
// @ts-expect-error the message type of protobuf instead of a value
await runtime.sendMessage(Duration, barista);
// @ts-expect-error a class instead of an instance
await runtime.sendMessage(Order, barista);
// @ts-expect-error a copy by spread, which has lost its type
await runtime.sendMessage({ ...AskPrice({ drink: "tea" }) }, barista);
// @ts-expect-error a plain object
await runtime.sendMessage({ drink: "tea" }, barista);
// @ts-expect-error a promise of a message
await runtime.publishMessage(Promise.resolve(AskPrice({ drink: "tea" })), orders);
// @ts-expect-error a list of messages
await runtime.publishMessage([AskPrice({ drink: "tea" })], orders);
// @ts-expect-error a Map
await runtime.publishMessage(new Map([["drink", "tea"]]), orders);
declare const orText: Order | string;
// @ts-expect-error one of two is no message
await runtime.publishMessage(orText, orders);
exactly<
  NotAMessage<"AskPrice is a message type: call it with the fields of a message, AskPrice({ … }). Send a value of it.">,
  Sendable<typeof AskPrice>
>(true);

// The same with a promised answer, where `Sendable` is part of the other signature.
const price = await runtime.sendMessage(new Order("tea"), barista, { answer: Price });
exactly<MessageOf<typeof Price>, typeof price>(true);
// @ts-expect-error a text
await runtime.sendMessage("tea", barista, { answer: Price });

// All that send agree.
declare const inProcess: SingleThreadedAgentRuntime;
declare const worker: WorkerRuntime;
export class Customer extends RoutedAgent {
  async ask(proxy: AgentProxy, agent: ClosureContext): Promise<number> {
    // @ts-expect-error a number
    await this.publishMessage(42, orders);
    // @ts-expect-error a text
    await this.sendMessage("tea", barista);
    // @ts-expect-error a plain object
    await this.tell({ drink: "tea" }, barista);
    // @ts-expect-error a plain object
    await this.remindMe("tea", { after: "5m" }, { drink: "tea" });
    // @ts-expect-error a plain object
    this.startTimer(1, { drink: "tea" });
    // @ts-expect-error the message type instead of a value of it
    this.startTimer(1, AskPrice);
    this.startTimer(1, AskPrice({ drink: "tea" }));
    // @ts-expect-error a text
    await proxy.sendMessage("tea");
    // @ts-expect-error a text
    await agent.sendMessage("tea", barista);
    // @ts-expect-error a text
    await inProcess.sendMessage("tea", barista);
    // @ts-expect-error a text
    await worker.sendMessage("tea", barista);
    const answers = [
      await this.sendMessage(AskPrice({ drink: "tea" }), barista),
      await proxy.sendMessage(AskPrice({ drink: "tea" })),
      await agent.sendMessage(AskPrice({ drink: "tea" }), barista),
      await inProcess.sendMessage(AskPrice({ drink: "tea" }), barista),
      await worker.sendMessage(AskPrice({ drink: "tea" }), barista),
    ];
    return answers.reduce((sum, { cents }) => sum + cents, 0);
  }
}
await ClosureAgent.registerClosure(runtime, "clerk", (agent, message) => agent.publishMessage(message, orders));

// A generic function names what it sends.
export function ask<Message>(message: Sendable<Message>): Promise<AnswerOf<Message>> {
  return runtime.sendMessage<Message>(message, barista);
}
const asked = await ask(AskPrice({ drink: "tea" }));
exactly<MessageOf<typeof Price>, typeof asked>(true);
// @ts-expect-error a text
await ask("tea");
