export { TakeTurn, type TakeTurnFields, TurnTaken, textParts, UiPart, type UiPartFields } from "./messages.ts";
export { lostNestedRun, nestedRunId, openNestedRun } from "./nested-run.ts";
export type { Ask } from "./next.ts";
export { placeOf, type TurnPlace } from "./turn-place.ts";
