import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../src/testing/index.ts";
import { FairCount, type LostPlace, type Place } from "../../../../src/transport/accounting/fair-count.ts";

function setUp(max: number) {
  const lost: LostPlace[] = [];
  const gone: string[] = [];
  const count = new FairCount({ max, onGaveWay: (place) => lost.push(place) });
  /** Takes a place under a name, if there is one. */
  const take = (party: string, name = party): Place | undefined =>
    count.mayTake(party) ? count.take(party, () => gone.push(name)) : undefined;
  return { count, take, lost, gone };
}

describe("a bounded number of places", () => {
  it("is all for a party that is alone, and no more", () => {
    const { count, take, gone } = setUp(100);
    const places = Array.from({ length: 101 }, () => take("a"));
    expect(places.indexOf(undefined)).toBe(100);
    places[7]?.leave();
    places[7]?.leave();
    expect(count.size).toBe(99);
    expect(take("a")).toBeDefined();
    expect(gone).toEqual([]);
  });

  it("gives another party a place: the newest of the one that has most", () => {
    const { count, take, lost, gone } = setUp(4);
    const places = ["1", "2", "3", "4"].map((name) => take("greedy", name));
    places[3]?.leave();
    take("greedy", "5");
    expect(take("modest")).toBeDefined();
    expect(gone).toEqual(["5"]);
    expect(lost).toEqual([{ party: "greedy", held: 4, max: 4 }]);
    expect(count.size).toBe(4);
  });

  it("is not fought for: of two parties, one that has half as much takes nothing from the other, nor that from it", () => {
    const { take, gone } = setUp(9);
    for (let nr = 0; nr < 9; nr += 1) take("a");
    let taken = 0;
    while (take("b") !== undefined) taken += 1;
    expect(taken).toBe(3);
    expect(gone).toHaveLength(3);
    expect(take("a")).toBeUndefined();
  });

  it("ends nobody whose place was lost already, and counts each place once", () => {
    const { count, take } = setUp(2);
    take("a");
    const newest = take("a");
    take("b");
    newest?.leave();
    expect(count.size).toBe(2);
  });
});

it("does what a plain list of places would do, whoever comes and goes", () => {
  const random = seededRandom(7);
  const pick = (below: number): number => Math.floor(random.next() * below);
  for (let run = 0; run < 200; run += 1) {
    const max = 1 + pick(30);
    const { count, take, gone } = setUp(max);
    /** The places in the order in which they were taken. */
    let model: { readonly name: string; readonly party: string; readonly place: Place }[] = [];
    const heldBy = (party: string): number => model.filter((one) => one.party === party).length;
    for (let step = 0; step < 200; step += 1) {
      if (model.length > 0 && random.next() < 0.3) {
        const [left] = model.splice(pick(model.length), 1);
        left?.place.leave();
      } else {
        const party = `${Math.min(pick(6), pick(6))}`;
        const name = `${run} ${step}`;
        const most = Math.max(0, ...model.map((one) => heldBy(one.party)));
        const isFull = model.length === max;
        const goneBefore = gone.length;
        const place = take(party, name);
        expect(place !== undefined).toBe(!isFull || most >= 2 * (heldBy(party) + 1));
        if (place !== undefined && isFull) {
          const loser = model.find((one) => one.name === gone[goneBefore]);
          expect(heldBy(loser?.party ?? "")).toBe(most);
          expect(model.filter((one) => one.party === loser?.party).at(-1)).toBe(loser);
          model = model.filter((one) => one !== loser);
        }
        expect(gone.length - goneBefore).toBe(place !== undefined && isFull ? 1 : 0);
        if (place !== undefined) model.push({ name, party, place });
      }
      expect(count.size).toBe(model.length);
    }
  }
});
