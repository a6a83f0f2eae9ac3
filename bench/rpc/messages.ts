import { defineMessage } from "troupe";
import { z } from "zod";

/** The call and its answer: JSON of 100 bytes with `payloadText`. The Python twin is in peer.py. */
export const Ping = defineMessage("Ping", z.object({ content: z.string() }));

/** `{"content":"…"}` takes 14 bytes beside the text. */
export const payloadText = "x".repeat(86);
