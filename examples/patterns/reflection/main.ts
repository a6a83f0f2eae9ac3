// Reflection: a coder writes, a reviewer checks, and the coder writes again until the reviewer approves.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { any, maxMessages, mention, participant, printTeam, RunTeam, roundRobin, Team } from "troupe/teams";
import { play } from "../support/play.ts";
import { speaker } from "../support/speaker.ts";

await play({
  parts: [
    async (runtime) => {
      await speaker(runtime, "coder", (heard) => {
        const remark = heard.findLast(({ source }) => source === "reviewer")?.content;
        return remark?.includes("empty")
          ? "sum = (all) => all.reduce((a, b) => a + b, 0)"
          : "sum = (all) => all.reduce((a, b) => a + b)";
      });
    },
    async (runtime) => {
      await speaker(runtime, "reviewer", (heard) =>
        heard.at(-1)?.content.endsWith(", 0)") ? "APPROVED" : "It throws for an empty list.",
      );
      const options = {
        participants: [participant("coder", "writes code"), participant("reviewer", "checks it")],
        next: roundRobin(),
        // A coder that writes "APPROVED" approves nothing.
        until: any(mention("APPROVED", { sources: ["reviewer"] }), maxMessages(12)),
      };
      await Team.register(runtime, "pair", () => new Team(options));
    },
  ],
  story: async (runtime) => {
    const stream = runtime.stream(RunTeam({ task: "Write a sum of a list." }), new AgentId("pair", "sum"));
    const { messages } = await printTeam(stream);
    assert.deepEqual(
      messages.map(({ source }) => source),
      ["user", "coder", "reviewer", "coder", "reviewer"],
    );
    assert.equal(messages.at(-1)?.content, "APPROVED");
  },
});
