import { describe, expect, test } from "vitest";
import {
  AgentId,
  type AgentRuntime,
  DefaultSubscription,
  handlerTable,
  type MessageOf,
  RoutedAgent,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import type { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, Note, type Stage, type Suite } from "./world.ts";

/** A routed agent as users write them: one call, one event, one subscription of its class. */
class Reader extends RoutedAgent {
  static override readonly subscriptions = [() => new DefaultSubscription("news")];
  static override readonly handlers = handlerTable<Reader>()
    .rpc(Ask, function (ask) {
      return Answer({ text: `${ask.text} from ${this.id}` });
    })
    .event(Note, function (note) {
      this.take(note);
    });

  readonly #seen: Inbox<string>;

  constructor(seen: Inbox<string>) {
    super("reads");
    this.#seen = seen;
  }

  take(note: MessageOf<typeof Note>): void {
    this.#seen.put(`${this.id} ${note.text}`);
  }
}

async function tell(runtime: AgentRuntime, topics: readonly string[]): Promise<void> {
  for (const topic of topics) await runtime.publishMessage(Note({ text: topic }), TopicId.parse(topic));
}

/** Resolves when all that the caller has published has passed the host: a call takes the same way, behind it. */
async function fence(stage: Stage): Promise<void> {
  await stage.host("fence");
  await stage.caller.sendMessage(Ask({ text: "passed?" }), new AgentId("fence", "k"));
}

export function describeRegistering({ openStage }: Suite): void {
  describe("registering agents by their class", () => {
    test("brings its handlers, its subscriptions and the direct-message topics", async () => {
      await using stage = await openStage();
      const seen = stage.texts;
      await Reader.register(stage.callee, "reader", () => new Reader(seen));
      await tell(stage.caller, ["news/a", "reader:/b", "reader:x/c", "other/d"]);
      expect(await seen.takeMany(3)).toEqual(["reader/a news/a", "reader/b reader:/b", "reader/c reader:x/c"]);
      const answer = await stage.caller.sendMessage(Ask({ text: "hi" }), new AgentId("reader", "k"));
      expect(answer.text).toBe("hi from reader/k");
      expect(seen.rest).toEqual([]);
    });

    test("can leave out each part of the subscriptions", async () => {
      await using stage = await openStage();
      const seen = stage.texts;
      const leaveOut = { skipClassSubscriptions: true };
      await Reader.register(stage.callee, "direct", () => new Reader(seen), leaveOut);
      const leaveOutDirect = { skipDirectMessageSubscription: true };
      await Reader.register(stage.callee, "classy", () => new Reader(seen), leaveOutDirect);
      await tell(stage.caller, ["news/a", "classy:/b", "direct:/c"]);
      expect(await seen.takeMany(2)).toEqual(["classy/a news/a", "direct/c direct:/c"]);
    });

    test("an instance is subscribed to the topic type that is its key; a second one of its type too [§8.121]", async () => {
      await using stage = await openStage();
      const seen = stage.texts;
      for (const key of ["k1", "k2"]) {
        await new Reader(seen).registerInstance(stage.callee, new AgentId("inst", key));
      }
      await tell(stage.caller, ["k1/k1", "k2/k2", "inst:x/k1", "news/k1"]);
      expect(await seen.takeMany(3)).toEqual(["inst/k1 k1/k1", "inst/k2 k2/k2", "inst/k1 inst:x/k1"]);
      const answer = await stage.caller.sendMessage(Ask({ text: "hi" }), new AgentId("inst", "k2"));
      expect(answer.text).toBe("hi from inst/k2");
      expect(seen.rest).toEqual([]);
    });

    test("leaves nothing behind when one of its subscriptions is refused", async () => {
      await using stage = await openStage();
      const seen = stage.texts;
      class Doubled extends Reader {
        static override readonly subscriptions = [
          () => new DefaultSubscription("news"),
          () => new DefaultSubscription("taken"),
        ];
      }
      await stage.callee.addSubscription(new TypeSubscription("taken", "reader"));
      const refused = Doubled.register(stage.callee, "reader", () => new Doubled(seen));
      await expect(refused).rejects.toMatchObject({ code: "already-exists" });
      const call = stage.caller.sendMessage(Ask({ text: "hi" }), new AgentId("reader", "k"));
      await expect(call).rejects.toMatchObject({ code: "undeliverable" });
      await tell(stage.caller, ["news/a"]);
      await fence(stage);
      await Reader.register(stage.callee, "reader", () => new Reader(seen));
      await tell(stage.caller, ["news/b"]);
      expect(await seen.take()).toBe("reader/b news/b");
      expect(seen.rest).toEqual([]);
    });

    test("leaves nothing behind of an instance either", async () => {
      await using stage = await openStage();
      const seen = stage.texts;
      class Broken extends Reader {
        static override readonly subscriptions = [() => "no subscription" as never];
      }
      const id = new AgentId("inst", "k1");
      const refused = new Broken(seen).registerInstance(stage.callee, id, { skipClassSubscriptions: false });
      await expect(refused).rejects.toMatchObject({ code: "invalid-argument" });
      await tell(stage.caller, ["k1/k1"]);
      await fence(stage);
      await new Reader(seen).registerInstance(stage.callee, id);
      await tell(stage.caller, ["k1/k1", "inst:/k1"]);
      expect(await seen.takeMany(2)).toEqual(["inst/k1 k1/k1", "inst/k1 inst:/k1"]);
      expect(seen.rest).toEqual([]);
    });
  });
}
