import { handlerTable, type MessageContext, RoutedAgent } from "troupe";
import {
  describeMessage,
  MyMessage,
  Numbers,
  PydanticMessage,
  StringValue,
  Struct,
  unknownPayloadMessage,
} from "./messages.ts";
import type { ShownMessage } from "./peer-protocol.ts";
import type { Sightings } from "./sightings.ts";

/** What reached an agent, as the Python peers tell it. */
export interface Received extends ShownMessage {
  readonly agent: string;
  readonly isRpc: boolean;
  readonly sender: string | null;
  readonly topic: string | null;
  readonly messageId: string;
}

/** An agent that says what reaches it: the twin of `PeerAgent` in tests/interop/python/agents.py. */
abstract class PeerAgent extends RoutedAgent {
  readonly #seen: Sightings<Received>;

  constructor(seen: Sightings<Received>) {
    super("an agent of the interop tests");
    this.#seen = seen;
  }

  note(message: unknown, context: MessageContext): void {
    this.#seen.note({
      agent: String(this.id),
      isRpc: context.isRpc,
      sender: context.sender === undefined ? null : String(context.sender),
      topic: context.topicId === undefined ? null : String(context.topicId),
      messageId: context.messageId,
      ...describeMessage(message),
    });
  }
}

/** Answers a call with the message itself. */
export class Echo extends PeerAgent {
  static override readonly handlers = handlerTable<Echo>().rpc(
    [MyMessage, Numbers, PydanticMessage, StringValue],
    function (message, context) {
      this.note(message, context);
      return message;
    },
  );
}

/** Notes every event it gets, and what it can't read. */
export class Collector extends PeerAgent {
  static override readonly handlers = handlerTable<Collector>().event(
    [MyMessage, Numbers, PydanticMessage, StringValue, Struct, unknownPayloadMessage],
    function (message, context) {
      this.note(message, context);
    },
  );
}
