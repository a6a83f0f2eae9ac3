// Plays worlds of rings over hosts until a checker complains. Arguments: the first seed, and how many seeds.
import { RingWorld } from "./ring-world.ts";

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
let failed = 0;
let seed = from;
for (; seed < from + count && failed === 0; seed += 1) {
  const { breaches, figures } = await new RingWorld(seed).run();
  if (count === 1) console.log(JSON.stringify(figures));
  failed += Math.min(1, breaches.length);
  if (breaches.length > 0) console.log(JSON.stringify([...new Set(breaches.map(({ checker }) => checker))]));
  for (const { checker, text } of breaches.slice(0, 5)) console.log(`world ${seed}: [${checker}] ${text}`);
}
console.log(`${seed - from} worlds, ${failed} failed`);
