// One agent written twice: with a handler table, and with decorators. Shows that both behave alike. The table needs no
// code transform; decorators make handlers of the same kind from methods. In both, a parameter of the wrong type is a compile error.
import assert from "node:assert/strict";
import {
  AgentId,
  defineMessage,
  event,
  handlerTable,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
  typeSubscription,
} from "troupe";
import { z } from "zod";

const Score = defineMessage("Score", z.object({ points: z.number() }));
const AskTotal = defineMessage("AskTotal", z.object({}), { answer: Score });

class TableKeeper extends RoutedAgent {
  total = 0;

  static override readonly handlers = handlerTable<TableKeeper>()
    .event(Score, function (score) {
      this.total += score.points;
    })
    .rpc(AskTotal, function () {
      return Score({ points: this.total });
    });
}

@typeSubscription("scores")
class DecoratedKeeper extends RoutedAgent {
  total = 0;

  @event(Score)
  add(score: MessageOf<typeof Score>) {
    this.total += score.points;
  }

  @rpc(AskTotal)
  answer(_ask: MessageOf<typeof AskTotal>) {
    return Score({ points: this.total });
  }
}

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await TableKeeper.register(runtime, "table_keeper", () => new TableKeeper("keeps the score"));
await runtime.addSubscription(new TypeSubscription("scores", "table_keeper"));
await DecoratedKeeper.register(runtime, "decorated_keeper", () => new DecoratedKeeper("keeps the score"));

for (const points of [3, 4, 5]) await runtime.publishMessage(Score({ points }), new TopicId("scores", "final"));
await runtime.stopWhenIdle();

await runtime.start();
for (const type of ["table_keeper", "decorated_keeper"]) {
  const total = await runtime.sendMessage(AskTotal({}), new AgentId(type, "final"));
  console.log(`${type} counted ${total.points} points`);
  assert.equal(total.points, 12);
}
