import { defineMessage } from "troupe";
import { z } from "zod";

/** The published event. The Python counterparts are in bench/python/events.py. */
export const News = defineMessage("News", z.object({ sentNs: z.number(), content: z.string() }));

/** A worker's report: the number of events that its agents have received together. */
export const Progressed = defineMessage("Progressed", z.object({ worker: z.number(), events: z.number() }));

/** Content that makes a `News` with `sentNs` 0 exactly 100 bytes of JSON. */
export const content = "x".repeat(75);
