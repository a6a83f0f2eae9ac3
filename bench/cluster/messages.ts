import { defineMessage } from "troupe";
import { z } from "zod";

export const Seen = defineMessage("Seen", z.object({}));
export const Look = defineMessage("Look", z.object({}), { answer: Seen });
