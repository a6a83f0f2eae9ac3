import { defineMessage } from "troupe";
import { z } from "zod";

/** What is published. The Python twins are in bench/python/events.py. */
export const News = defineMessage("News", z.object({ sentNs: z.number(), content: z.string() }));

/** How far a worker is: all its agents have had so many events. */
export const Progressed = defineMessage("Progressed", z.object({ worker: z.number(), events: z.number() }));

/** Makes a `News` that left at 0 one of 100 bytes of JSON. */
export const content = "x".repeat(75);
