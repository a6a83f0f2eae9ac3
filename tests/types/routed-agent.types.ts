// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import {
  AgentId,
  type AgentRuntime,
  type Answers,
  classMessage,
  type DefinedMessage,
  defineMessage,
  event,
  handlerTable,
  type MessageContext,
  type MessageOf,
  messageHandler,
  RoutedAgent,
  rpc,
  UnknownPayload,
  unknownPayloadMessage,
  voidMessage,
} from "troupe";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
type Greeting = MessageOf<typeof Greeting>;
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });
type AskToGreet = MessageOf<typeof AskToGreet>;
const Note = defineMessage("Note", z.object({ text: z.string() }));
type Note = MessageOf<typeof Note>;
const Store = defineMessage("Store", z.object({ text: z.string() }), { answer: voidMessage });

// Messages are told apart by name, even with equal fields, and only their type makes them.
const greeting: Greeting = Greeting({ content: "hi" });
// @ts-expect-error a plain object is no message
export const plain: Greeting = { content: "hi" };
// @ts-expect-error another message of the same shape
export const other: Note = Store({ text: "x" });
// @ts-expect-error a field of a wrong type
Greeting({ content: 1 });
// @ts-expect-error a missing field
Greeting({});
exactly<string, typeof greeting.content>(true);
// What an editor shows of a message is its fields, not the schema library's types.
exactly<DefinedMessage<"Greeting", { content: string }, unknown>, Greeting>(true);
exactly<"Greeting", typeof Greeting.typeName>(true);

// Decorators
export class Greeter extends RoutedAgent {
  greeted = 0;

  @rpc(AskToGreet)
  async greet(ask: AskToGreet) {
    return Greeting({ content: `Hello, ${ask.name}!` });
  }

  @rpc(AskToGreet, { match: (ask) => ask.name === "Bob", strict: false })
  greetBob(ask: AskToGreet, context: MessageContext): Greeting {
    return Greeting({ content: ask.name + context.messageId });
  }

  @event(Note)
  async note(note: Note) {
    this.greeted += note.text.length;
  }

  @event([Note, Greeting])
  either(message: Note | Greeting): void {
    if (Note.is(message)) exactly<string, typeof message.text>(true);
  }

  @messageHandler(Note)
  anything(_note: Note) {
    return 5;
  }

  @rpc(Store)
  async store(_ask: MessageOf<typeof Store>) {}

  @messageHandler(unknownPayloadMessage)
  unknown(payload: UnknownPayload) {
    return payload.typeName;
  }

  // @ts-expect-error the parameter is not what is declared
  @rpc(AskToGreet)
  async wrongParameter(ask: Note) {
    return Greeting({ content: ask.text });
  }

  // @ts-expect-error the result is not the declared answer
  @rpc(AskToGreet)
  async wrongAnswer(ask: AskToGreet) {
    return Note({ text: ask.name });
  }

  // @ts-expect-error no result where an answer is declared
  @rpc(AskToGreet)
  async noAnswer(_ask: AskToGreet) {}

  // @ts-expect-error an event has no result
  @event(Note)
  async eventWithResult(_note: Note) {
    return Greeting({ content: "" });
  }

  // @ts-expect-error one of two declared types is not taken
  @event([Note, Greeting])
  notBoth(_note: Note) {}

  // @ts-expect-error a private method
  @event(Note)
  #hidden(_note: Note) {}

  @event(Note)
  notHidden(note: Note) {
    this.#hidden(note);
  }

  // @ts-expect-error a static method
  @event(Note)
  static ofClass(_note: Note) {}

  // @ts-expect-error a third required parameter
  @event(Note)
  tooMany(_note: Note, _context: MessageContext, _more: string) {}
}

export class NoAgent {
  // @ts-expect-error only methods of agents
  @event(Note)
  note(_note: Note) {}
}

// Tables infer the message, `this` and the answer.
export class TableGreeter extends RoutedAgent {
  greeted = 0;

  static override readonly handlers = handlerTable<TableGreeter>()
    .rpc(AskToGreet, function (ask, context) {
      exactly<AskToGreet, typeof ask>(true);
      exactly<MessageContext, typeof context>(true);
      this.greeted += 1;
      return Greeting({ content: ask.name });
    })
    .rpc(AskToGreet, async (ask) => Greeting({ content: ask.name }), { match: (ask) => ask.name === "Ada" })
    .event(Note, function (note) {
      exactly<Note, typeof note>(true);
      this.greeted += note.text.length;
    })
    .message([Note, Greeting], (message) => {
      exactly<Note | Greeting, typeof message>(true);
    })
    // @ts-expect-error the wrong answer
    .rpc(AskToGreet, (ask) => Note({ text: ask.name }))
    // @ts-expect-error an event has no result
    .event(Note, (note) => note)
    // @ts-expect-error a handler for another message
    .event(Note, (greeting: Greeting) => void greeting)
    .event(Note, function () {
      // @ts-expect-error `this` is the agent
      this.nothing();
    });
}

// Answers
declare const runtime: AgentRuntime;
const id = new AgentId("greeter", "default");

export async function answers(agent: Greeter): Promise<void> {
  const answer = await runtime.sendMessage(AskToGreet({ name: "Ada" }), id);
  exactly<Greeting, typeof answer>(true);
  const fromAgent = await agent.sendMessage(AskToGreet({ name: "Ada" }), id, { timeoutMs: 5 });
  exactly<Greeting, typeof fromAgent>(true);
  const nothing = await runtime.sendMessage(Store({ text: "x" }), id);
  exactly<void, typeof nothing>(true);
  const unknown = await runtime.sendMessage(Note({ text: "x" }), id);
  exactly<unknown, typeof unknown>(true);
  const promised = await runtime.sendMessage(Note({ text: "x" }), id, { answer: Greeting });
  exactly<Greeting, typeof promised>(true);
  // @ts-expect-error the answer has no such field
  answer.nothing;

  await Greeter.register(runtime, "greeter", () => new Greeter("greets"));
  await Greeter.register(runtime, "greeter", async ({ id: own }) => new Greeter(`greets as ${own.key}`));
  // @ts-expect-error a factory of another class
  await Greeter.register(runtime, "greeter", () => new TableGreeter("greets"));
}

// Classes
// biome-ignore lint/correctness/noUnusedVariables: it is merged into the class
interface Ask extends Answers<Reply> {}
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds a mark for the compiler only
class Ask {
  readonly question: string;
  constructor(question: string) {
    this.question = question;
  }
}
class Reply {
  readonly text = "";
}
const ReplyMessage = classMessage("Reply", Reply);
const AskMessage = classMessage("Ask", Ask, { answer: ReplyMessage });
exactly<Ask, MessageOf<typeof AskMessage>>(true);

export async function classAnswers(): Promise<void> {
  const reply = await runtime.sendMessage(new Ask("why?"), id);
  exactly<Reply, typeof reply>(true);
}

export class ClassAgent extends RoutedAgent {
  @rpc(AskMessage)
  answer(ask: Ask) {
    return ask.question === "" ? new Reply() : Promise.resolve(new Reply());
  }

  // @ts-expect-error the result is not the declared answer
  @rpc(AskMessage)
  wrong(_ask: Ask) {
    return new UnknownPayload("", "", new Uint8Array());
  }
}

// Whoever calls has a name, or none.
export class Porter extends RoutedAgent {
  static override readonly tellsPrincipal = true;
  static override readonly handlers = handlerTable<Porter>().rpc(AskToGreet, (_message, context) => {
    exactly<string | undefined, typeof context.principal>(true);
    // @ts-expect-error no handler says who calls
    context.principal = "root";
    return Greeting({ content: context.principal ?? "nobody" });
  });
}
// @ts-expect-error it is a flag
Porter.register(runtime, "porter", () => new Porter("opens"), { tellsPrincipal: "yes" });
