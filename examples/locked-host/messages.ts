import { defineMessage } from "troupe";
import { z } from "zod";

export const Opened = defineMessage("Opened", z.object({ by: z.string(), times: z.number() }));
export const Open = defineMessage("Open", z.object({}), { answer: Opened });
