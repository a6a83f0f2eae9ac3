import { describe, expect, it } from "vitest";
import { AgentId, SingleThreadedAgentRuntime } from "../../../../src/core/index.ts";
import { type Delivery, HandlerContext, isLeaseMissed } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { LeasedTurns } from "../../../../src/worker/lease/leased-turns.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const runtime = new SingleThreadedAgentRuntime();
const agentId = new AgentId("room", "a");

class SuspendedClock extends ManualClock {
  suspendedMs = 0;

  override wallNow(): number {
    return super.wallNow() + this.suspendedMs;
  }
}

class Rig {
  readonly clock = new SuspendedClock();
  readonly session = {};
  asked = 0;
  readonly needs: boolean[] = [];
  readonly begun: string[] = [];
  readonly back: string[] = [];
  readonly failed: unknown[] = [];
  readonly lease = new LeasedTurns({
    clock: this.clock,
    onMissed: () => {
      this.asked += 1;
    },
    onNeed: (isNeeded) => this.needs.push(isNeeded),
  });

  constructor() {
    this.lease.begin(this.session);
    this.lease.need(true);
  }

  lend(leaseMs = 3_000): void {
    const seq = this.lease.request(this.session);
    if (seq !== undefined) this.lease.granted(this.session, seq, leaseMs);
  }

  /** Hands a message to the layer. */
  deliver(name: string, { arrivedMs = this.lease.arrivedMs, takesBack = true } = {}): HandlerContext {
    const context = new HandlerContext({
      sender: undefined,
      topicId: undefined,
      isRpc: true,
      messageId: name,
      agentId,
      runtime,
    });
    const giveBack = (reason: string) => {
      this.back.push(`${name} ${reason}`);
      return true;
    };
    const delivery: Delivery = {
      agentId,
      message: name,
      context,
      link: undefined,
      arrivedMs,
      giveBack: takesBack ? giveBack : undefined,
    };
    const answer = async () => this.lease.layer(delivery, () => this.begun.push(name), {} as never);
    answer().catch((error: unknown) => this.failed.push(error));
    return context;
  }
}

describe("a message at a worker that needs a lease", () => {
  it("begins at once while the lease is held, and waits for the next one after its end", async () => {
    const rig = new Rig();
    rig.lend();
    rig.deliver("first");
    expect(rig.begun).toEqual(["first"]);
    rig.clock.advance(2_910);
    const context = rig.deliver("second");
    await turn();
    expect(rig.begun).toEqual(["first"]);
    expect(context.isWaiting).toBe(true);
    expect(rig.asked).toBe(1);
    rig.lend();
    await turn();
    expect(rig.begun).toEqual(["first", "second"]);
    expect(context.isWaiting).toBe(false);
  });

  it("begins behind those that wait, also when it comes together with the answer", async () => {
    const rig = new Rig();
    for (const name of ["a", "b", "c"]) rig.deliver(name);
    await turn();
    rig.lend();
    // The host has sent it right behind the answer: both are read in one turn of the event loop.
    rig.deliver("d");
    expect(rig.begun).toEqual([]);
    await turn();
    expect(rig.begun).toEqual(["a", "b", "c", "d"]);
  });

  it("goes back after 2 s without a lease, counted from when it came or from when the lease was missed", async () => {
    const rig = new Rig();
    rig.deliver("early");
    rig.clock.advance(1_000);
    rig.deliver("late");
    rig.clock.advance(999);
    await turn();
    expect(rig.back).toEqual([]);
    rig.clock.advance(1);
    await turn();
    expect(rig.back).toEqual(["early no-lease"]);
    rig.clock.advance(1_000);
    await turn();
    expect(rig.back).toEqual(["early no-lease", "late no-lease"]);
    // It has waited for its turn behind others, all of that time without a lease.
    rig.deliver("behind", { arrivedMs: 0 });
    rig.clock.advance(0);
    await turn();
    expect(rig.back.at(-1)).toBe("behind no-lease");
    expect(rig.begun).toEqual([]);
    expect(rig.failed.every(isLeaseMissed)).toBe(true);
  });

  it("fails as not handled if it can't go back", async () => {
    const rig = new Rig();
    rig.deliver("a", { takesBack: false });
    rig.clock.advance(2_000);
    await turn();
    expect(rig.failed).toMatchObject([{ code: "shutting-down", notHandled: true }]);
  });

  it("goes back as too old when it has waited for its turn for more than six hours", async () => {
    const rig = new Rig();
    const arrivedMs = rig.lease.arrivedMs;
    rig.clock.advance(6 * 3_600_000);
    rig.lend();
    rig.deliver("just", { arrivedMs });
    rig.clock.advance(1);
    rig.deliver("too old", { arrivedMs });
    await turn();
    expect([rig.begun, rig.back]).toEqual([["just"], ["too old too-old"]]);
  });

  it("ends its wait when its caller gives it up", async () => {
    const rig = new Rig();
    const context = rig.deliver("a");
    const gone = new Error("gone");
    context.abort(gone);
    await turn();
    expect([rig.begun, rig.back, rig.failed]).toEqual([[], [], [gone]]);
    rig.lend();
    await turn();
    expect(rig.begun).toEqual([]);
  });

  it("waits again if a handler before it has used the lease up", async () => {
    const rig = new Rig();
    rig.deliver("a");
    const slow = rig.lease.wait();
    rig.deliver("b");
    await turn();
    // What begins between takes so long that the lease is over.
    void slow?.then(() => rig.clock.advance(3_000));
    rig.lend();
    await turn();
    expect(rig.begun).toEqual(["a"]);
    rig.lend();
    await turn();
    expect(rig.begun).toEqual(["a", "b"]);
  });
});

describe("the lease of a worker", () => {
  it("counts for the newest connection alone, and ends when another one is opened", () => {
    const rig = new Rig();
    rig.lend();
    const early = rig.lease.request(rig.session) ?? 0;
    const newer = {};
    rig.lease.begin(newer);
    expect(rig.lease.mayBegin).toBe(false);
    rig.lease.granted(rig.session, early, 3_000);
    rig.lease.granted(newer, early, 3_000);
    expect(rig.lease.request(rig.session)).toBeUndefined();
    expect(rig.lease.mayBegin).toBe(false);
    const asked = rig.lease.request(newer) ?? 0;
    rig.lease.granted(rig.session, asked, 3_000);
    expect(rig.lease.mayBegin).toBe(false);
    rig.lease.granted(newer, asked, 3_000);
    expect(rig.lease.mayBegin).toBe(true);
  });

  it("is not taken away by an answer without one", () => {
    const rig = new Rig();
    rig.lend();
    rig.lend(0);
    expect(rig.lease.mayBegin).toBe(true);
  });

  it("is over after a suspension of the machine", () => {
    const rig = new Rig();
    rig.lend();
    // The monotonic clock stands still meanwhile.
    rig.clock.suspendedMs = 3_000;
    expect(rig.lease.mayBegin).toBe(false);
  });

  it("is not needed at a host without a cluster: nothing is noted and everything begins", async () => {
    const rig = new Rig();
    rig.deliver("a");
    rig.lease.need(false);
    await turn();
    expect(rig.begun).toEqual(["a"]);
    expect(rig.needs).toEqual([true, false]);
    expect([rig.lease.arrivedMs, rig.lease.wait(), rig.lease.request(rig.session)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
