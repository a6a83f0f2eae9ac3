import type { Ask } from "../teams/internal.ts";
import { askOnce, assertModel, type LanguageModel } from "./sdk.ts";

/**
 * Makes a question of a team to a model, for `selector` of `troupe/teams`. The tokens of the question are not among those of the team's run.
 *
 * @example
 * ```ts
 * const next = selector(askModel(openai("gpt-5-mini")));
 * ```
 */
export function askModel(model: LanguageModel): Ask {
  assertModel(model, "askModel");
  return (messages, { signal }) => {
    const said = messages.map(({ source, content }) => {
      return { role: source === "user" ? ("user" as const) : ("assistant" as const), content };
    });
    return askOnce(model, { messages: said, abortSignal: signal });
  };
}
