import { defineMessage } from "troupe";
import { z } from "zod";

/** What is sent and what is published, 100 bytes where it is JSON. The Python twin is in bench/python/in_process.py. */
export const Ping = defineMessage("Ping", z.object({ content: z.string() }));

export const content = "x".repeat(86);
