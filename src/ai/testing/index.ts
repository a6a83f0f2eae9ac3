/**
 * Models for tests of agents that think: one follows a script, the other answers from a recording. They need no key and no network.
 *
 * @example
 * ```ts
 * import { AiAgent } from "troupe/ai";
 * import { scriptedModel } from "troupe/ai/testing";
 *
 * const model = scriptedModel([{ calls: [{ name: "forecast", input: { city: "Lisbon" } }] }, { text: "It is 24 degrees." }]);
 * const agent = new AiAgent({ model, instructions: "You help guests." });
 * ```
 *
 * @packageDocumentation
 */

export type { ModelObject } from "../sdk.ts";
export { type RecordableModel, type RecordedModelOptions, recordedModel } from "./recorded-model.ts";
export {
  type ScriptedCall,
  type ScriptedModel,
  type ScriptedStep,
  type ScriptWriter,
  scriptedModel,
} from "./scripted-model.ts";
