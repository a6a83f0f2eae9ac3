// `npm run bench -- rpc [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures calls through a host: caller → host → target → back, in three processes.
import { compare } from "../support/comparing.ts";
import { baseline, type CallLoad, createContenders } from "./contenders.ts";

const payloads = { "100 B": 100, "10 KB": 10_000, "1 MB": 1_000_000 } as const;
const inFlight = [1, 16, 64, 256];

const loads = Object.entries(payloads).flatMap(([text, payloadBytes]) =>
  inFlight.map((count) => ({ text: `${text}, ${count} in flight`, payloadBytes, inFlight: count })),
);

await compare<CallLoad & { readonly text: string }>({
  benchmark: "rpc",
  title: "calls through a host",
  unit: "calls/s",
  contenders: createContenders(),
  baseline,
  loads,
  loadText: ({ text }) => text,
});
