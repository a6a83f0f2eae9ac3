import { describe, expect, test } from "vitest";
import { AgentId, handlerTable, type MessageContext, RoutedAgent } from "../../../src/core/index.ts";
import {
  any,
  maxMessages,
  mention,
  participant,
  RunTeam,
  roundRobin,
  Said,
  StopTeam,
  TakeTurn,
  Team,
  type TeamOptions,
  TeamResult,
  TurnTaken,
  UiPart,
} from "../../../src/teams/index.ts";
import { Gate } from "../../support/gate.ts";
import type { Stage, Suite } from "./world.ts";

type Say = (heard: readonly string[], context: MessageContext) => unknown;

/** A participant that does what the test says. */
class Speaker extends RoutedAgent {
  static override readonly handlers = handlerTable<Speaker>().rpc(TakeTurn, async function* ({ messages }, context) {
    const said = await this.#say(
      messages.map(({ source, content }) => `${source}: ${content}`),
      context,
    );
    yield UiPart({ type: "text-delta", id: "1", delta: String(said) });
    return TurnTaken({ content: String(said), prompt_tokens: 1 });
  });

  readonly #say: Say;

  constructor(say: Say) {
    super("speaks");
    this.#say = say;
  }
}

/** Registers participants where the team is not. The callee alone keeps states in each world. */
async function speakers(stage: Stage, says: Readonly<Record<string, Say>>): Promise<void> {
  for (const [type, say] of Object.entries(says)) {
    await Speaker.register(stage.caller, type, () => new Speaker(say));
  }
}

/** Registers a team of participants that are elsewhere. */
async function teamOf(stage: Stage, names: readonly string[], options: Partial<TeamOptions> = {}): Promise<AgentId> {
  const participants = names.map((name) => participant(name, `the ${name}`));
  await Team.register(stage.callee, "team", () => new Team({ participants, next: roundRobin(), ...options }));
  return new AgentId("team", "t");
}

const lines = ({ messages }: TeamResult) => messages.map(({ source, content }) => `${source}: ${content}`);

function knowTeams(stage: Stage): void {
  const types = [RunTeam, StopTeam, TeamResult, Said, TakeTurn, TurnTaken, UiPart];
  for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer(types);
}

export function describeTeams({ openStage, unless }: Suite): void {
  describe("a team", () => {
    test("asks participants elsewhere in their order, each with what it has not seen", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      const heard: string[][] = [];
      await speakers(stage, {
        writer: (all) => `draft ${heard.push([...all])}`,
        critic: (all) => (heard.push([...all]) < 4 ? "more" : "APPROVE"),
      });
      const team = await teamOf(stage, ["writer", "critic"], { until: any(mention("APPROVE"), maxMessages(20)) });
      const result = await stage.caller.sendMessage(RunTeam({ task: "go" }), team);
      expect(lines(result)).toEqual([
        "user: go",
        "writer: draft 1",
        "critic: more",
        "writer: draft 3",
        "critic: APPROVE",
      ]);
      expect(result).toMatchObject({ stop_reason: "Text 'APPROVE' mentioned", prompt_tokens: 4 });
      expect(heard).toEqual([["user: go"], ["user: go", "writer: draft 1"], ["critic: more"], ["writer: draft 3"]]);
    });

    unless("no-streams", "streams each message of participants elsewhere as it is said", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      const go = new Gate();
      await speakers(stage, { first: () => "one", second: () => go.opened.then(() => "two") });
      const team = await teamOf(stage, ["first", "second"], { maxTurns: 2 });
      const stream = stage.caller.stream(RunTeam({ task: "go" }), team);
      const seen: string[] = [];
      for await (const { source, content } of stream) {
        seen.push(`${source}: ${content}`);
        if (source === "first") go.open();
      }
      expect(seen).toEqual(["user: go", "first: one", "second: two"]);
      expect(lines(await stream.answer)).toEqual(seen);
    });

    test("takes part in a team, and both have participants elsewhere", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      await speakers(stage, {
        editor: (heard) => `edited ${heard.at(-1)}`,
        judge: (heard) => `good: ${heard.at(-1)}`,
      });
      await Speaker.register(stage.callee, "drafter", () => new Speaker(() => "draft"));
      const inner = { participants: [participant("editor", "edits")], next: roundRobin(), maxTurns: 1 };
      await Team.register(stage.callee, "inner", () => new Team(inner));
      const team = await teamOf(stage, ["drafter", "inner", "judge"], { maxTurns: 3 });
      const result = await stage.caller.sendMessage(RunTeam({ task: "go" }), team);
      expect(lines(result)).toEqual([
        "user: go",
        "drafter: draft",
        "inner: edited drafter: draft",
        "judge: good: inner: edited drafter: draft",
      ]);
      expect(result.prompt_tokens).toBe(3);
    });

    unless("no-streams", "whose caller leaves its stream ends the turn of a participant elsewhere", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      const [begun, ended] = [new Gate(), new Gate()];
      await speakers(stage, {
        patient: async (heard, { signal }) => {
          if (heard.at(-1) === "user: again") return "here";
          const left = new Promise((resolve) => signal.addEventListener("abort", resolve));
          begun.open();
          await left;
          ended.open();
          return "too late";
        },
      });
      const team = await teamOf(stage, ["patient"], { maxTurns: 1 });
      for await (const _ of stage.caller.stream(RunTeam({ task: "go" }), team)) {
        await begun.opened;
        break;
      }
      await ended.opened;
      const again = () => stage.caller.sendMessage(RunTeam({ task: "again" }), team);
      let result = await again().catch(({ code }) => code);
      // The team may not have heard yet that its run has no reader.
      while (result === "wrong-state") result = await again().catch(({ code }) => code);
      expect(lines(result)).toEqual(["user: again", "patient: here"]);
    });

    test("skips a participant elsewhere that fails, and says so in the thread", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      await speakers(stage, {
        broken: () => Promise.reject(new Error("no idea")),
        sound: (heard) => heard.at(-1),
      });
      const team = await teamOf(stage, ["broken", "sound"], { whenTurnFails: "skip", maxTurns: 2 });
      expect(lines(await stage.caller.sendMessage(RunTeam({ task: "go" }), team))).toEqual([
        "user: go",
        "team: broken did not take its turn (handler-failed).",
        "sound: team: broken did not take its turn (handler-failed).",
      ]);
    });

    test("that was deactivated goes on with its thread, behind its last speaker", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      const heard: string[][] = [];
      const say: Say = (all) => String(heard.push([...all]));
      await speakers(stage, { a: say, b: say });
      const team = await teamOf(stage, ["a", "b"], { maxTurns: 1 });
      await stage.caller.sendMessage(RunTeam({ task: "go" }), team);
      await stage.callee.deactivateAgent(team);
      const result = await stage.caller.sendMessage(RunTeam({ task: "more" }), team);
      expect(lines(result)).toEqual(["user: more", "b: 2"]);
      expect(heard).toEqual([["user: go"], ["user: go", "a: 1", "user: more"]]);
    });

    test("ends its run by StopTeam from elsewhere, after the turn under way", async () => {
      await using stage = await openStage();
      knowTeams(stage);
      const [begun, go] = [new Gate(), new Gate()];
      await speakers(stage, {
        slow: async () => {
          begun.open();
          await go.opened;
          return "done";
        },
      });
      const team = await teamOf(stage, ["slow"]);
      const run = stage.caller.sendMessage(RunTeam({ task: "go" }), team);
      await begun.opened;
      await stage.caller.sendMessage(StopTeam({ reason: "enough" }), team);
      go.open();
      expect(await run).toMatchObject({ stop_reason: "enough", messages: [{ content: "go" }, { content: "done" }] });
    });
  });
}
