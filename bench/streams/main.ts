// `npm run bench -- streams [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures answers in parts: target → host → reader, in three processes. Latencies are those of the first part.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders, type StreamLoad } from "./contenders.ts";

await compare<StreamLoad>({
  benchmark: "streams",
  title: "answers in parts of 100 B",
  unit: "parts/s",
  contenders: createContenders(),
  baseline,
  loads: [1, 64].map((inFlight) => ({ text: inFlight === 1 ? "1 stream" : `${inFlight} streams`, inFlight })),
  loadText: ({ text }) => text,
});
