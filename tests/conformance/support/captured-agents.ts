import { fromJson } from "@bufbuild/protobuf";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  handlerTable,
  type MessageContext,
  RoutedAgent,
  TopicId,
} from "../../../src/core/index.ts";
import { protobufMessage } from "../../../src/protobuf/index.ts";
import type { Inbox } from "../../support/inbox.ts";
import { schemaOf } from "./proto-json.ts";

// The agents of the captured Python workers, written again from what the capture shows of them.

export const Msg = defineMessage("Msg", z.object({ text: z.string(), n: z.int() }));
export const PModel = defineMessage(
  "PModel",
  z.object({ name: z.string(), when: z.number(), tags: z.array(z.string()) }),
);
export const Evt = defineMessage("Evt", z.object({ text: z.string(), n: z.int(), t: z.number() }));

const protoSchema = schemaOf("agents.ProtoMessage");
export const ProtoMessage = protobufMessage(protoSchema);

export function protoMessage(message: string) {
  return fromJson(protoSchema, { message });
}

/** What an agent was handed. */
export interface Handled {
  readonly message: unknown;
  readonly agent: string;
  readonly sender: string | undefined;
  readonly topic: string | undefined;
  readonly messageId: string;
}

function handled(agent: RoutedAgent, message: unknown, { sender, topicId, messageId }: MessageContext): Handled {
  return { message, agent: `${agent.id}`, sender: sender?.toString(), topic: topicId?.toString(), messageId };
}

/** Of w1: answers calls, or fails as it is told. */
export class Target extends RoutedAgent {
  readonly #seen: Inbox<Handled>;

  static override readonly handlers = handlerTable<Target>()
    .rpc(Msg, function (message, context) {
      this.#seen.put(handled(this, message, context));
      if (message.text === "raise") throw new Error("boom from handler");
      if (message.text === "empty") throw new Error("");
      return Msg({ text: `re: ${message.text}`, n: message.n + 1 });
    })
    .rpc(PModel, (model) => model);

  constructor(seen: Inbox<Handled>) {
    super("target");
    this.#seen = seen;
  }
}

/** Of w1: listens, and publishes once when it hears "chain". */
export class Subber extends RoutedAgent {
  readonly #seen: Inbox<Handled>;

  static override readonly handlers = handlerTable<Subber>().event(Evt, async function (event, context) {
    this.#seen.put(handled(this, event, context));
    if (event.text !== "chain") return;
    const next = Evt({ text: "published by an agent", n: event.n + 1, t: 0.25 });
    await this.publishMessage(next, new TopicId("fix.topic", "src1"));
  });

  constructor(seen: Inbox<Handled>) {
    super("subber");
    this.#seen = seen;
  }
}

/** Of w2: passes a call on to the target, and its answer back. */
export class Caller extends RoutedAgent {
  static override readonly handlers = handlerTable<Caller>().rpc(Msg, function (message) {
    return this.sendMessage(message, new AgentId("target", "key1"));
  });

  constructor() {
    super("caller");
  }
}

/** Of w3: listens to protobuf events. */
export class Psub extends RoutedAgent {
  readonly #seen: Inbox<Handled>;

  static override readonly handlers = handlerTable<Psub>().event(ProtoMessage, function (message, context) {
    this.#seen.put(handled(this, message, context));
  });

  constructor(seen: Inbox<Handled>) {
    super("psub");
    this.#seen = seen;
  }
}
