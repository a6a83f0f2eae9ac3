// Plays worlds of streams over hosts until one breaks a promise. Arguments: the first seed, and how many seeds.
import { StreamWorld } from "./stream-world.ts";

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
const sums: Record<string, number> = {};
let failed = 0;
let seed = from;
for (; seed < from + count && failed === 0; seed += 1) {
  const { breaches, figures, lines } = await new StreamWorld(seed, { keepsLines: count === 1 }).run();
  for (const [name, number] of Object.entries(figures)) sums[name] = (sums[name] ?? 0) + number;
  if (lines.length > 0) console.log(lines.join("\n"));
  failed += Math.min(1, breaches.length);
  if (breaches.length > 0) console.log(JSON.stringify([...new Set(breaches.map(({ checker }) => checker))]));
  for (const { checker, text } of breaches.slice(0, 5)) console.log(`world ${seed}: [${checker}] ${text}`);
}
console.log(`${seed - from} worlds, ${failed} failed: ${JSON.stringify(sums)}`);
