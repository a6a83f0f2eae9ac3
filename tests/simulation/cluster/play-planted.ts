// Plays worlds with the bug that plant.mjs has planted, until a checker complains. Arguments: the first seed, and how many seeds.
import { playClusters } from "./play.ts";

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
const { failedSeeds, seeds } = await playClusters(from, count, {
  stops: true,
  onFailure: ({ breaches }) => {
    console.log(JSON.stringify([...new Set(breaches.map(({ checker }) => checker))]));
    console.log(breaches[0]?.text);
  },
});
console.log(`${seeds} worlds, ${failedSeeds.length} failed`);
