import { afterAll, describe, it } from "vitest";
import { type CoordinationStore, claimLifeMs } from "../../../src/cluster/index.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { Dice, describeCoordinationStore, SimulatedClock, SimulatedCoordination } from "../../../src/testing/index.ts";

interface Owner {
  readonly coordination: SimulatedCoordination;
  readonly name: string;
}

const owners = new Map<CoordinationStore, Owner>();
const clock = new SimulatedClock(new Dice(1));
let isOver = false;

/** Simulated time passes as fast as it can. */
async function letTimePass(): Promise<void> {
  while (!isOver) {
    await nextTurn();
    clock.runNext();
  }
}

function add(coordination: SimulatedCoordination): CoordinationStore {
  const name = `client ${owners.size}`;
  const store = coordination.client(name);
  owners.set(store, { coordination, name });
  return store;
}

function ownerOf(store: CoordinationStore): Owner {
  const owner = owners.get(store);
  if (owner === undefined) throw new Error("It is another store.");
  return owner;
}

describeCoordinationStore(
  "simulated",
  {
    create: () =>
      add(new SimulatedCoordination({ clock, dice: new Dice(owners.size), lostAnswers: 0, latencyMs: () => 1 })),
    another: (store) => add(ownerOf(store).coordination),
    faults: {
      loseAnswers: (store) => {
        const { coordination, name } = ownerOf(store);
        coordination.cutOff(name);
        return () => coordination.connect(name);
      },
      restart: (store) => {
        const { coordination } = ownerOf(store);
        coordination.goAway();
        coordination.comeBack();
      },
      letADayPass: () => new Promise((resolve) => clock.setTimer(claimLifeMs, resolve)),
    },
  },
  { describe, it },
);

void letTimePass();
afterAll(() => {
  isOver = true;
});
