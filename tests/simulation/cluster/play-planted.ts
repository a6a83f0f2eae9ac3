// Plays worlds with the bug that plant.mjs has planted, until a checker complains. Arguments: the first seed, how many seeds, the worlds that are
// played, and `without` for worlds in which all requests that delete messages arrive once and in order.

import { isInWorlds, type PlantedWorlds } from "./planted-bugs.ts";
import { playClusters } from "./play.ts";

const [from = "1", count = "1", worlds = "all", faults = "with"] = process.argv.slice(2);
const { failedSeeds, seeds, figures } = await playClusters(Number(from), Number(count), {
  // The test gives no other names.
  plays: (plan) => isInWorlds(plan, worlds as PlantedWorlds),
  plant: { withoutDeletionFaults: faults === "without" },
  stops: true,
  onFailure: ({ breaches }) => {
    console.log(JSON.stringify([...new Set(breaches.map(({ checker }) => checker))]));
    console.log(breaches[0]?.text);
  },
});
console.log(`${seeds} worlds, ${failedSeeds.length} failed, ${figures.mailDeleted} messages deleted`);
