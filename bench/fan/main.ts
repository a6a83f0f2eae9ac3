// `npm run bench -- fan [--types 1,10,100,2000] [--workers 1,8] [--keys 1,1000] [--seconds 1]`
// Measures what an event costs the host whose topic many shared types subscribe to by one prefix. Host and workers are in one process, on
// the memory link; the workers only count. Keys are the topic's sources. The first event of a key places its agents, the second finds them,
// and the others find what the host remembers of the second.
import { parseArgs } from "node:util";
import { writeResults } from "../support/results-file.ts";
import { Fan } from "./fan.ts";

const { values } = parseArgs({
  options: {
    types: { type: "string", default: "1,10,100,2000" },
    workers: { type: "string", default: "1,8" },
    keys: { type: "string", default: "1,1000" },
    seconds: { type: "string", default: "1" },
  },
});

const figures: object[] = [];
console.log("types workers keys | ms of a key's first event (longest) | second | others | events/s");
for (const types of numbers(values.types)) {
  for (const workers of numbers(values.workers)) {
    for (const keys of numbers(values.keys).map((count) => Math.max(1, Math.min(count, Math.floor(400_000 / types))))) {
      await using fan = await Fan.open({ types, workers });
      const first = await fan.publish(keys, { events: keys });
      const second = await fan.publish(keys, { events: keys });
      await fan.publish(keys, { seconds: Number(values.seconds) / 2 });
      const others = await fan.publish(keys, { seconds: Number(values.seconds) });
      figures.push({ types, workers, keys, first, second, others });
      const cells = [types, workers, keys].map((count) => String(count).padStart(5)).join(" ");
      const time = ({ msPerEvent, longestMs }: typeof others) => `${msPerEvent.toFixed(3)} (${longestMs.toFixed(1)})`;
      const perSecond = Math.round(1_000 / others.msPerEvent);
      console.log(`${cells} | ${time(first)} | ${time(second)} | ${time(others)} | ${perSecond}`);
    }
  }
}
console.log(`figures: ${writeResults("fan", { figures })}`);

function numbers(text: string): number[] {
  return text.split(",").map(Number);
}
