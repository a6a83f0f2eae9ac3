// Hand-offs: each participant answers, or hands over to another one. A hand-off to the user ends the run, and the user's next text goes back
// to the participant that asked.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { any, handoffs, handoffTo, mention, participant, printTeam, RunTeam, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { speaker } from "../support/speaker.ts";

await play({
  parts: [
    async (runtime) => {
      await speaker(runtime, "clerk", (heard) =>
        heard.at(-1)?.content.includes("money")
          ? { content: "The refunds clerk can help.", handoff: "refunds" }
          : { content: "What is it about?", handoff: "user" },
      );
      await speaker(runtime, "refunds", (heard) => {
        const order = heard.map(({ content }) => /order (\d+)/.exec(content)?.[1]).find((found) => found !== undefined);
        return order === undefined ? { content: "Which order?", handoff: "user" } : `Order ${order} is refunded. DONE`;
      });
    },
    async (runtime) => {
      const options = {
        participants: [participant("clerk", "answers first"), participant("refunds", "pays back")],
        next: handoffs({ first: "clerk" }),
        until: any(handoffTo("user"), mention("DONE")),
      };
      await Team.register(runtime, "support", () => new Team(options));
    },
  ],
  story: async (runtime) => {
    const support = new AgentId("support", "customer-7");
    const run = (task: string) => printTeam(runtime.stream(RunTeam({ task }), support));
    const first = await run("I want my money back.");
    assert.deepEqual(
      first.messages.map(({ source }) => source),
      ["user", "clerk", "refunds"],
    );
    const second = await run("It is order 42.");
    assert.deepEqual(
      second.messages.map(({ content }) => content),
      ["It is order 42.", "Order 42 is refunded. DONE"],
    );
  },
});
