import { defineMessage } from "troupe";
import { z } from "zod";

/** The answer of the forecaster, which is a Python program. */
export const Forecast = defineMessage("Forecast", z.object({ text: z.string() }));
export const AskForecast = defineMessage("AskForecast", z.object({ city: z.string().describe("Name of a city") }), {
  answer: Forecast,
});

/** Tells the pages of a chat that an answer has begun or ended. */
export const ChatChanged = defineMessage("ChatChanged", z.object({}));
