// The models: a script by default. `MODEL=openai/gpt-5` with `AI_GATEWAY_API_KEY` takes a real one, by the gateway of the AI SDK.
import { setTimeout as pause } from "node:timers/promises";
import type { LanguageModel } from "ai";
import { scriptedModel } from "troupe/ai/testing";

/** Asks its two tools about the last word of the question, then says what they have answered. */
export function conciergeModel(): LanguageModel {
  return (
    process.env.MODEL ??
    scriptedModel(({ prompt }) => {
      const last = prompt.at(-1);
      if (last?.role === "tool") {
        const said = last.content.map((part) => (part.type === "tool-result" ? textOf(part.output) : ""));
        return { text: slowly(`Here is your plan. ${said.join(" ")} Have a good trip!`) };
      }
      const city = cityIn(JSON.stringify(last?.content));
      return {
        text: slowly(`A trip to ${city}: I ask the guide and the forecaster.`),
        calls: [
          { name: "guide", input: { text: `What is there to see in ${city}?` } },
          { name: "forecast", input: { city } },
        ],
      };
    })
  );
}

export function guideModel(): LanguageModel {
  return (
    process.env.MODEL ??
    scriptedModel(({ prompt }) => {
      const city = cityIn(JSON.stringify(prompt.at(-1)?.content));
      return { text: slowly(`In ${city}, see the old town, the market and the river.`) };
    })
  );
}

/** The last name in a text. */
function cityIn(text: string): string {
  return text.match(/\p{Lu}\p{L}+/gu)?.at(-1) ?? "Lisbon";
}

function textOf(output: { readonly type: string; readonly value?: unknown }): string {
  const { value = "" } = output;
  if (typeof value !== "string") return JSON.stringify(value);
  return value.startsWith("{") ? String(JSON.parse(value).text) : value;
}

/** Yields a text word by word, as a model does. */
async function* slowly(text: string): AsyncGenerator<string> {
  for (const word of text.split(/(?<= )/)) {
    yield word;
    await pause(40);
  }
}
