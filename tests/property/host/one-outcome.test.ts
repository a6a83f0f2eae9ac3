import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Frame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";

/** One thing that happens; numbers pick among what is there at that moment. */
type Step =
  | { readonly do: "join" | "leave"; readonly worker: number }
  | { readonly do: "register"; readonly worker: number; readonly type: number }
  | { readonly do: "call"; readonly worker: number; readonly type: number; readonly timeoutMs: number | undefined }
  | { readonly do: "answer"; readonly worker: number; readonly request: number; readonly times: number }
  | { readonly do: "wait"; readonly ms: number };

const worker = fc.nat({ max: 3 });
const type = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("join" as const, "leave" as const), worker }),
  fc.record({ do: fc.constant("register" as const), worker, type }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("call" as const),
      worker,
      type,
      timeoutMs: fc.option(fc.integer({ min: 1, max: 1_500 }), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("answer" as const),
      worker,
      request: fc.nat(),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 700 }) }),
);

interface Seat {
  worker: RawWorker | undefined;
  /** Requests that reached the worker at this seat and its answers; ids start again with each worker, as Python's do. */
  asked: string[];
  called: number;
  answered: string[];
}

class Play {
  readonly #rig: HostRig;
  readonly #clock: ManualClock;
  readonly #seats: Seat[] = [0, 1, 2, 3].map(() => ({ worker: undefined, asked: [], called: 0, answered: [] }));
  #joined = 0;

  constructor(rig: HostRig, clock: ManualClock) {
    this.#rig = rig;
    this.#clock = clock;
  }

  async run(next: Step): Promise<void> {
    const seat = next.do === "wait" ? undefined : this.#seats[next.worker];
    if (seat === undefined) return this.#clock.advance(next.do === "wait" ? next.ms : 0);
    switch (next.do) {
      case "wait":
        return;
      case "join":
        if (seat.worker === undefined) await this.#join(seat);
        return;
      case "leave":
        return this.#leave(seat);
      case "register":
        await seat.worker?.register(`type-${next.type}`).catch(() => undefined);
        return;
      case "call": {
        if (seat.worker === undefined) return;
        seat.called += 1;
        const metadata = next.timeoutMs === undefined ? {} : { agtimeoutms: String(next.timeoutMs) };
        seat.worker.request(String(seat.called), `type-${next.type}/k`, { metadata });
        return;
      }
      case "answer": {
        await this.#gather();
        const requestId = seat.asked[next.request % Math.max(1, seat.asked.length)];
        for (let time = 0; time < next.times; time += 1)
          if (requestId !== undefined) seat.worker?.respond(requestId, "ok");
        return;
      }
    }
  }

  /** Every seat taken, each with a type of its own: something is there to be broken. */
  async begin(): Promise<void> {
    for (const [index, seat] of this.#seats.entries()) {
      await this.#join(seat);
      await seat.worker?.register(`type-${index}`);
    }
  }

  /** After all timeouts, every call of every worker that is still there has one answer, and the host has forgotten all. */
  async check(): Promise<void> {
    await this.#gather();
    const open = this.#seats.map((seat) => (seat.worker === undefined ? 0 : seat.called - seat.answered.length));
    expect(this.#rig.host.counters().pendingCalls).toBe(open.reduce((sum, count) => sum + count));
    this.#clock.advance(5_000);
    await this.#gather();
    for (const { worker: present, called, answered } of this.#seats) {
      if (present === undefined) continue;
      const expected = Array.from({ length: called }, (_, index) => String(index + 1));
      expect([...answered].sort((a, b) => Number(a) - Number(b))).toEqual(expected);
    }
    expect(this.#rig.host.counters().pendingCalls).toBe(0);
    expect(this.#clock.pendingTimers).toBe(0);
  }

  async #join(seat: Seat): Promise<void> {
    this.#joined += 1;
    Object.assign(seat, { asked: [], called: 0, answered: [] });
    seat.worker = await new RawWorker(this.#rig.dial(), `W${this.#joined}`).join();
  }

  async #leave(seat: Seat): Promise<void> {
    seat.worker?.stream.end();
    await seat.worker?.ended;
    seat.worker = undefined;
  }

  /** Two rounds: what one worker's frames made the host send to another that was gathered from before is there as well. */
  async #gather(): Promise<void> {
    for (const seat of [...this.#seats, ...this.#seats])
      for (const frame of (await seat.worker?.settled()) ?? []) note(seat, frame);
  }
}

function note(seat: Seat, frame: Frame): void {
  if (frame.kind === "request") seat.asked.push(frame.requestId);
  else if (frame.kind === "response") seat.answered.push(frame.requestId);
}

// In memory alone: what is tried here is the order of things, and that is the same at every run.
describe.each(hostTransports.slice(0, 1))("a host on $name", ({ start }) => {
  it("gives every call exactly one outcome, whoever comes, goes, answers twice or never", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40, size: "max" }),
        fc.boolean(),
        async (steps, allowMultipleOwners) => {
          const clock = new ManualClock();
          await using rig = await start({ clock, callTimeoutMs: 1_000, allowMultipleOwners });
          const play = new Play(rig, clock);
          await play.begin();
          for (const next of steps) await play.run(next);
          await play.check();
        },
      ),
      { numRuns: 200 },
    );
  });
});
