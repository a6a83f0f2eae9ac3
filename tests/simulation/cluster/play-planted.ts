// Plays worlds with the bug that plant.mjs has planted, until a checker complains. Arguments: the first seed, how many seeds, and `calm` for calm worlds alone.
import { playClusters } from "./play.ts";

const [from = "1", count = "1", kind] = process.argv.slice(2);
const { failedSeeds, seeds } = await playClusters(Number(from), Number(count), {
  plays: ({ balances }) => kind !== "calm" || balances === "calm",
  stops: true,
  onFailure: ({ breaches }) => {
    console.log(JSON.stringify([...new Set(breaches.map(({ checker }) => checker))]));
    console.log(breaches[0]?.text);
  },
});
console.log(`${seeds} worlds, ${failedSeeds.length} failed`);
