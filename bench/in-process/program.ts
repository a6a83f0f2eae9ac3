// Our side of the benchmark in process: sends and publishes on command, all within this process.
// With `--time-limit` each call has the time limit of the runtime, 330 s.
import { AgentId, handlerTable, RoutedAgent, SingleThreadedAgentRuntime, TopicId, TypeSubscription } from "troupe";
import { runCallRound } from "../support/call-rounds.ts";
import { commands, tell } from "../support/peer-commands.ts";
import type { InProcessLoad } from "./contenders.ts";
import { content, Ping } from "./messages.ts";
import { Deliveries, runPublishRound } from "./publish-round.ts";

const deliveries = new Deliveries();

class Answerer extends RoutedAgent {
  static override readonly handlers = handlerTable<Answerer>().rpc(Ping, (ping) => ping);
}

class Listener extends RoutedAgent {
  static override readonly handlers = handlerTable<Listener>().event(Ping, () => deliveries.add());
}

const runtime = new SingleThreadedAgentRuntime({
  checksMessages: !process.argv.includes("--unchecked"),
  defaultTimeoutMs: process.argv.includes("--time-limit") ? 330_000 : undefined,
});
await Answerer.register(runtime, "answerer", () => new Answerer("answers"));
for (let index = 0; index < 32; index += 1) {
  const type = `listener_${index}`;
  await Listener.register(runtime, type, () => new Listener("listens"));
  await runtime.addSubscription(new TypeSubscription("to-32", type));
}
await runtime.addSubscription(new TypeSubscription("to-1", "listener_0"));
await runtime.start();

const answerer = new AgentId("answerer", "1");
tell("ready");
for await (const { seconds, load } of commands<{ seconds: number; load: InProcessLoad }>()) {
  if (load.kind === "send") {
    const send = () => runtime.sendMessage(Ping({ content }), answerer);
    tell("round", await runCallRound({ seconds, inFlight: load.inFlight }, send));
  } else {
    const topic = new TopicId(`to-${load.agents}`, "1");
    const publish = () => runtime.publishMessage(Ping({ content }), topic);
    tell("round", await runPublishRound(seconds, load.agents, deliveries, publish));
  }
}
process.exit(0);
