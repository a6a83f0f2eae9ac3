// Concurrent agents: several agents work at once. By calls (Promise.all), and by one event that each of them subscribes to.
import assert from "node:assert/strict";
import {
  AgentId,
  type AgentRuntime,
  defineMessage,
  handlerTable,
  RoutedAgent,
  TopicId,
  TypeSubscription,
} from "troupe";
import { z } from "zod";
import { play } from "../support/play.ts";

const Review = defineMessage("Review", z.object({ text: z.string() }));
const AskReview = defineMessage("AskReview", z.object({ text: z.string() }), { answer: Review });
const Published = defineMessage("Published", z.object({ text: z.string() }));
const Noted = defineMessage("Noted", z.object({ by: z.string() }));

class Reviewer extends RoutedAgent {
  static override readonly handlers = handlerTable<Reviewer>()
    .rpc(AskReview, function ({ text }) {
      return Review({ text: `${this.id.type} has read "${text}"` });
    })
    .event(Published, async function () {
      await this.publishMessage(Noted({ by: this.id.type }), new TopicId("noted", this.id.key));
    });
}

async function register(runtime: AgentRuntime, type: string): Promise<void> {
  await Reviewer.register(runtime, type, () => new Reviewer("reviews"));
  await runtime.addSubscription(new TypeSubscription("published", type));
}

class Listener extends RoutedAgent {
  static override readonly handlers = handlerTable<Listener>().event(Noted, function ({ by }) {
    this.#heard(by);
  });

  readonly #heard: (by: string) => void;

  constructor(heard: (by: string) => void) {
    super("hears who has noted");
    this.#heard = heard;
  }
}

await play({
  parts: [(runtime) => register(runtime, "lawyer"), (runtime) => register(runtime, "editor")],
  story: async (runtime) => {
    const reviewers = ["lawyer", "editor"].map((type) => new AgentId(type, "paper-1"));
    const asked = reviewers.map((reviewer) => runtime.sendMessage(AskReview({ text: "the paper" }), reviewer));
    const reviews = await Promise.all(asked);
    for (const { text } of reviews) console.log(text);
    assert.deepEqual(
      reviews.map(({ text }) => text),
      ['lawyer has read "the paper"', 'editor has read "the paper"'],
    );

    const all = new Promise<Set<string>>((resolve) => {
      const noted = new Set<string>();
      const heard = (by: string) => {
        if (noted.add(by).size === reviewers.length) resolve(noted);
      };
      void Listener.register(runtime, "listener", () => new Listener(heard))
        .then(() => runtime.addSubscription(new TypeSubscription("noted", "listener")))
        .then(() => runtime.publishMessage(Published({ text: "the paper" }), new TopicId("published", "paper-1")));
    });
    assert.deepEqual([...(await all)].sort(), ["editor", "lawyer"]);
    console.log("both have noted the event");
  },
});
