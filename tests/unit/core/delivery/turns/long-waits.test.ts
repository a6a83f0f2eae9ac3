import { expect, it } from "vitest";
import { AgentId } from "../../../../../src/core/index.ts";
import { type Delivery, HandlerContext, LongWaits, type Turn, TurnQueue } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

class Waiting implements Turn {
  readonly kind = "alone";
  readonly bytes = 0;
  readonly isUrgent = false;
  readonly hasPath: boolean;
  readonly token: string;
  readonly delivery: Delivery;
  seenMs: number | undefined;

  constructor(token: string, hasPath = true) {
    this.token = token;
    this.hasPath = hasPath;
    const context = new HandlerContext({ sender: undefined, topicId: undefined, isRpc: true, messageId: token });
    this.delivery = { agentId: new AgentId("a", "k"), message: token, context, link: undefined };
  }

  isAwaitedBy(): boolean {
    return false;
  }

  begin(): void {
    this.seenMs = undefined;
  }

  hurry(): void {}
}

function setUp() {
  const clock = new ManualClock();
  const told: string[] = [];
  const waits = new LongWaits({
    clock,
    afterMs: 1_000,
    reports: {
      report: ({ message }, behind) => told.push(`${message} behind ${behind}`),
      withdraw: ({ message }) => told.push(`${message} no more`),
    },
  });
  const queue = new TurnQueue<Waiting>({ maxQueued: 1_000, maxQueuedBytes: 1 });
  const ask = (token: string, hasPath = true): Waiting => {
    const turn = new Waiting(token, hasPath);
    queue.ask(turn);
    waits.changed(queue);
    return turn;
  };
  const end = (turn: Waiting): void => {
    queue.end(turn);
    waits.changed(queue);
  };
  return { clock, told, ask, end, waits };
}

it("reports a call that has waited for the time behind one turn, once, and the next turn when that has run as long", () => {
  const { clock, told, ask, end } = setUp();
  const first = ask("first");
  const second = ask("second");
  ask("third");
  clock.advance(999);
  expect(told).toEqual([]);
  clock.advance(501);
  expect(told).toEqual(["second behind first", "third behind first"]);
  clock.advance(10_000);
  expect(told).toHaveLength(2);
  end(first);
  expect(told.slice(2)).toEqual(["second no more", "third no more"]);
  clock.advance(1_500);
  expect(told.slice(4)).toEqual(["third behind second"]);
  end(second);
  expect(told.slice(5)).toEqual(["third no more"]);
});

it("reports nothing of an agent whose turns are short, and no call that no turn waits for", () => {
  const { clock, told, ask, end } = setUp();
  const turns = Array.from({ length: 20 }, (_, at) => ask(`t${at}`, at !== 19));
  for (const turn of turns.slice(0, 18)) {
    clock.advance(400);
    end(turn);
  }
  expect(told).toEqual([]);
  clock.advance(5_000);
  expect(told).toEqual([]);
});

it("reports at most 100 calls of one agent, and another one when a place is free", () => {
  const { clock, told, ask, end } = setUp();
  const turns = Array.from({ length: 150 }, (_, at) => ask(`t${at}`));
  clock.advance(2_000);
  expect(told).toHaveLength(100);
  expect(told.at(-1)).toBe("t100 behind t0");
  const gone = turns[50];
  if (gone !== undefined) end(gone);
  expect(told.slice(100)).toEqual(["t50 no more", "t101 behind t0"]);
});

it("has no timer when it is closed before a wait is long, and watches what waits later", () => {
  const { clock, told, ask, end, waits } = setUp();
  const first = ask("first");
  ask("second");
  waits.close();
  expect(clock.pendingTimers).toBe(0);
  end(first);
  ask("third");
  clock.advance(1_500);
  expect(told).toEqual(["third behind second"]);
});
