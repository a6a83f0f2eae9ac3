import { defineMessage } from "troupe";
import { z } from "zod";

/**
 * The message that is sent and published: 100 bytes as JSON. The Python counterpart is in bench/python/in_process.py.
 */
export const Ping = defineMessage("Ping", z.object({ content: z.string() }));

export const content = "x".repeat(86);
