// Plays worlds of rings over hosts, and prints what their checkers say. Arguments: the first seed, and how many seeds.
import { RingWorld } from "./ring-world.ts";

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
for (let seed = from; seed < from + count; seed += 1) {
  const { breaches, figures } = await new RingWorld(seed).run();
  if (breaches.length === 0 && count > 1) continue;
  console.log(seed, JSON.stringify(figures));
  for (const { checker, text } of breaches.slice(0, 4)) console.log(`"${checker}" ${text}`);
}
