import type { Comparing } from "../support/comparing.ts";
import type { DurableLoad } from "./contenders.ts";

/** Loads and rounds of both parts. `in flight`: messages until each is kept. */
export const durablePlan = {
  unit: "handled/s",
  loads: [1, 64, 256].map((inFlight) => ({ text: `${inFlight} in flight`, inFlight })),
  loadText: ({ text }: DurableLoad) => text,
  warmUpSeconds: 3,
  rounds: 4,
} satisfies Partial<Comparing<DurableLoad>>;
