// A worker of the demo: `worker NAME ADDRESS`. It joins the host and serves four agent types until SIGTERM.
import {
  type AgentState,
  defineState,
  event,
  type MessageContext,
  type MessageOf,
  persistentAgent,
  RoutedAgent,
  rpc,
  TopicId,
  typeSubscription,
} from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { AskForPoem, Guests, Heard, News, Poem, Sign, Tally, Visit } from "./messages.ts";

const [name = "north", address = "127.0.0.1:50051"] = process.argv.slice(2);

@typeSubscription("news")
class Reader extends RoutedAgent {
  @event(News)
  async read({ headline }: MessageOf<typeof News>) {
    console.log(`${this.id} reads: ${headline}`);
    await this.publishMessage(Heard({ worker: name, headline }), new TopicId("heard", "demo"));
  }
}

class Poet extends RoutedAgent {
  @rpc(AskForPoem)
  write({ about }: MessageOf<typeof AskForPoem>, context: MessageContext) {
    console.log(`${this.id} is asked for a poem by ${context.sender}`);
    return Poem({ text: `O ${about}, from ${name} I sing of thee` });
  }
}

class Doorkeeper extends RoutedAgent {
  #visitors = 0;

  @rpc(Visit)
  welcome({ visitor }: MessageOf<typeof Visit>) {
    this.#visitors += 1;
    console.log(`${this.id} welcomes ${visitor}, visitor number ${this.#visitors}`);
    return Tally({ visitors: this.#visitors });
  }

  override saveState() {
    return { visitors: this.#visitors };
  }

  override loadState(state: AgentState) {
    this.#visitors = Number(state.visitors);
    console.log(`${this.id} remembers ${this.#visitors} visitors`);
  }
}

const BookState = defineState(z.object({ names: z.array(z.string()) }), { initial: { names: [] } });

/** All workers serve this type, and the host keeps its state. Each guestbook is in one worker at a time. */
class Guestbook extends persistentAgent(BookState) {
  static override readonly shared = true;

  @rpc(Sign)
  sign({ name: guest }: MessageOf<typeof Sign>) {
    this.state.names.push(guest);
    console.log(`${this.id} is signed by ${this.state.names.join(", ")}`);
    return Guests({ names: this.state.names, worker: name });
  }
}

const runtime = new GrpcWorkerAgentRuntime(address, { name });
await runtime.start();
await Reader.register(runtime, `reader_${name}`, () => new Reader("reads the news"));
await Poet.register(runtime, `poet_${name}`, () => new Poet("writes poems"));
await Doorkeeper.register(runtime, `doorkeeper_${name}`, () => new Doorkeeper("counts visitors"));
await Guestbook.register(runtime, "guestbook", () => new Guestbook("keeps the names of guests"));
const stopped = runtime.stopWhenSignal();
console.log(`ready (process ${process.pid}, Node ${process.versions.node})`);
await stopped;
console.log("drained");
