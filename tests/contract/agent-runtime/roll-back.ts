import { describe, expect, test } from "vitest";
import { type MessageContext, TopicId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, id, type Keeper, openCast } from "./keepers.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

const topic = new TopicId("notes", "ada");

const publish = (agent: Keeper, text: string, immediately = false) =>
  agent.publishMessage(Note({ text }), topic, { immediately });

const call = async (agent: Keeper, text: string, { signal }: MessageContext) =>
  (await agent.sendMessage(Ask({ text }), id, { signal })).text;

/** Does what the words of its text say, one after the other. */
async function script(text: string, agent: Keeper, context: MessageContext): Promise<string> {
  for (const word of text.split(" ")) {
    const [verb, rest = ""] = word.split(":");
    switch (verb) {
      case "add":
        add(rest, agent);
        break;
      case "say":
        await publish(agent, rest);
        break;
      case "shout":
        await publish(agent, rest, true);
        break;
      case "save":
        await agent.saveNow();
        break;
      case "call":
        await call(agent, rest.replaceAll("/", " ").replaceAll("=", ":"), context);
        break;
      case "try":
        await call(agent, rest.replaceAll("/", " ").replaceAll("=", ":"), context).catch(() => undefined);
        break;
      case "break":
        Object.assign(agent.state, { total: "not a number" });
        break;
      case "mend":
        agent.state.total = 0;
        break;
      case "nothing":
        Object.assign(agent, { state: undefined });
        break;
      case "bloat":
        agent.state.log.push("x".repeat(1024 * 1024));
        break;
      case "map":
        Object.assign(agent.state, { total: new Map() });
        break;
      case "fail":
        throw new Error("it failed");
    }
  }
  return String(agent.state.total);
}

export function describeRollBack(suite: Suite): void {
  describe("a turn of a persistent agent that fails", () => {
    test.each([
      ["throws", "add:2 fail", { message: expect.stringContaining("it failed") }],
      [
        "leaves a state that does not fit",
        "add:2 break",
        {
          code: "invalid-state",
          message: expect.stringMatching(/^The state of keeper\/\S+ does not fit its schema: total/),
        },
      ],
      [
        "takes undefined for its state",
        "add:2 nothing",
        {
          code: "invalid-state",
          message: expect.stringMatching(/^A state is an object with named fields, not undefined\.$/),
        },
      ],
      [
        "leaves what JSON can't hold",
        "add:2 map",
        {
          code: "invalid-state",
          message: expect.stringMatching(/^The state of keeper\/\S+ can't be written as JSON: .*Map/),
        },
      ],
      [
        "leaves too much",
        "add:2 bloat",
        { code: "state-too-large", message: expect.stringMatching(/^The state of keeper\/\S+ has .*maxBytes/) },
      ],
    ])("because it %s changes nothing", async (_why, text, error) => {
      await using cast = await openCast(suite, script);
      await cast.ask("add:1");
      await expect(cast.ask(text)).rejects.toMatchObject(error);
      expect(await cast.seen()).toEqual({ total: 1, log: ["1"] });
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
      expect(await cast.ask("add:3")).toBe("4");
    });

    test("because its answer can't be sent changes nothing", async () => {
      await using cast = await openCast(suite, script);
      await cast.ask("add:1");
      const [keeper] = cast.made;
      if (keeper === undefined) throw new Error("no keeper");
      // No message: the handler's own check does not see it, since the method is the test's.
      Object.assign(keeper, {
        onMessageImpl: () => {
          add("2", keeper);
          return { text: "plain" };
        },
      });
      await expect(cast.ask("")).rejects.toMatchObject({ code: "invalid-message" });
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
      expect(keeper.state).toEqual({ total: 1, log: ["1"] });
    });

    test("goes back to its saveNow", async () => {
      await using cast = await openCast(suite, script);
      await expect(cast.ask("add:1 save add:2 fail")).rejects.toThrow("it failed");
      expect(await cast.seen()).toEqual({ total: 1, log: ["1"] });
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
    });

    test("goes back to the end of a call that came back to it", async () => {
      await using cast = await openCast(suite, script);
      await expect(cast.ask("add:1 call:add=2 add:4 fail")).rejects.toThrow("it failed");
      expect(await cast.stored()).toEqual({ total: 3, log: ["1", "2"] });
      expect(await cast.seen()).toEqual({ total: 3, log: ["1", "2"] });
    });

    test("inside another one takes back its own changes alone", async () => {
      await using cast = await openCast(suite, script);
      expect(await cast.ask("add:1 try:add=2/fail add:4")).toBe("5");
      expect(await cast.stored()).toEqual({ total: 5, log: ["1", "4"] });
    });

    test("inside another one goes back to its own saveNow", async () => {
      await using cast = await openCast(suite, script);
      expect(await cast.ask("add:1 try:add=2/save/add=8/fail add:4")).toBe("7");
      expect(await cast.stored()).toEqual({ total: 7, log: ["1", "2", "4"] });
    });

    test.each([
      ["fails", "try:add=2/fail"],
      ["leaves what does not fit, too", "try:add=2"],
      ["fails, and the one between them as well", "try:add=2/try:add=4/fail"],
    ])("ends if a turn inside it %s, after it has left what does not fit", async (_what, inner) => {
      await using cast = await openCast(suite, script);
      await cast.ask("add:1");
      await expect(cast.ask(`add:8 break ${inner} mend`)).rejects.toMatchObject({
        code: "invalid-state",
        message: expect.stringMatching(/keeper\/\S+ .*does not fit its schema: total.*before a call that comes back/),
      });
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
      expect(await cast.seen()).toEqual({ total: 1, log: ["1"] });
      expect(await cast.ask("add:3")).toBe("4");
    });

    test("takes along only those turns around it that had left what does not fit", async () => {
      await using cast = await openCast(suite, script);
      expect(await cast.ask("add:1 try:add=2/break/try:add=4 add:8")).toBe("9");
      expect(await cast.stored()).toEqual({ total: 9, log: ["1", "8"] });
    });

    test("waits for a turn inside it that its call has given up", async () => {
      const gate = new Gate();
      const inside = new Gate();
      await using cast = await openCast(suite, async (text, agent, context) => {
        if (text === "inner") {
          add("2", agent);
          inside.open();
          await gate.opened;
          add("4", agent);
          return "";
        }
        const giving = new AbortController();
        const nested = agent.sendMessage(Ask({ text: "inner" }), id, { scope: context.scope, signal: giving.signal });
        await inside.opened;
        giving.abort();
        await nested.catch(() => undefined);
        add("8", agent);
        setImmediate(() => gate.open());
        return agent.state.total;
      });
      await cast.ask("outer");
      expect(await cast.stored()).toEqual({ total: 14, log: ["2", "8", "4"] });
    });

    test("that met another writer after its saveNow is not tried again", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, script, { store });
      store.afterCommit = () => store.write(id, { total: 50, log: [] });
      await expect(cast.ask("add:1 save add:2")).rejects.toMatchObject({ code: "state-conflict" });
      expect(store.commits).toHaveLength(1);
      store.afterCommit = () => undefined;
      expect(await cast.ask("add:1")).toBe("51");
    });
  });

  describe("the events of a persistent agent's turn", () => {
    test("leave when its state is written, and its answer too", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, script, { store });
      await cast.stage.listen("notes", "listener");
      const steps: string[] = [];
      store.afterCommit = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        steps.push("written");
      };
      const answered = cast.ask("add:1 say:hello").then(() => steps.push("answered"));
      const seen = cast.stage.seen.take().then(({ text }) => steps.push(text));
      await Promise.all([answered, seen]);
      expect(steps[0]).toBe("written");
      expect(steps.sort()).toEqual(["answered", "hello", "written"]);
    });

    test("leave in their order", async () => {
      await using cast = await openCast(suite, script);
      await cast.stage.listen("notes", "listener");
      await cast.ask("say:1 add:1 say:2 say:3");
      expect((await cast.stage.seen.takeMany(3)).map(({ text }) => text)).toEqual(["1", "2", "3"]);
    });

    test("do not leave when it fails, and those of a good turn do", async () => {
      await using cast = await openCast(suite, script);
      await cast.stage.listen("notes", "listener");
      await expect(cast.ask("say:lost fail")).rejects.toThrow("it failed");
      await cast.ask("say:kept");
      expect((await cast.stage.seen.take()).text).toBe("kept");
      expect(cast.stage.seen.rest).toEqual([]);
    });

    test("do not leave when the store can't write, though the agent published them", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, script, { store });
      await cast.stage.listen("notes", "listener");
      store.beforeCommit = () => {
        throw new Error("a store of somebody's own");
      };
      await expect(cast.ask("add:1 say:lost")).rejects.toMatchObject({ code: "state-unknown" });
      store.beforeCommit = () => undefined;
      await cast.ask("say:kept");
      expect((await cast.stage.seen.take()).text).toBe("kept");
    });

    test("of a turn inside another one that fails do not leave, and those of the outer one do", async () => {
      await using cast = await openCast(suite, script);
      await cast.stage.listen("notes", "listener");
      await cast.ask("say:1 try:say=2/fail say:3");
      expect((await cast.stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["1", "3"]);
    });

    test("leave at once with immediately, also if it fails", async () => {
      await using cast = await openCast(suite, script);
      await cast.stage.listen("notes", "listener");
      await expect(cast.ask("shout:progress say:lost fail")).rejects.toThrow("it failed");
      await cast.ask("say:kept");
      expect((await cast.stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["progress", "kept"]);
    });

    test("leave with its saveNow", async () => {
      await using cast = await openCast(suite, script);
      await cast.stage.listen("notes", "listener");
      await expect(cast.ask("say:1 save say:2 fail")).rejects.toThrow("it failed");
      await cast.ask("say:3");
      expect((await cast.stage.seen.takeMany(2)).map(({ text }) => text)).toEqual(["1", "3"]);
    });

    test("are at most 10 000", async () => {
      await using cast = await openCast(suite, async (_text, agent) => {
        for (let count = 0; count <= 10_000; count += 1) await publish(agent, "");
      });
      await expect(cast.ask("")).rejects.toMatchObject({ code: "overloaded" });
    });
  });

  describe("an event for a persistent agent", () => {
    test("changes its state, or nothing if the handler fails", async () => {
      await using cast = await openCast(suite, script);
      const { stage } = cast;
      const { TypeSubscription } = await import("../../../src/core/index.ts");
      await stage.callee.addSubscription(new TypeSubscription("to-keepers", "keeper"));
      for (const text of ["add:1", "add:2 fail", "add:4"]) {
        await stage.caller.publishMessage(Note({ text }), new TopicId("to-keepers", "ada"));
      }
      await stage.caller.sendMessage(Ask({ text: "" }), id, { answer: Answer });
      expect(await cast.stored()).toEqual({ total: 5, log: ["1", "4"] });
    });
  });
}
