/**
 * Teams of agents: the participants take turns in one thread. A participant is any agent that handles `TakeTurn`, in TypeScript or in Python.
 *
 * @example
 * ```ts
 * import { type MessageOf, RoutedAgent, rpc } from "troupe";
 * import { TakeTurn, TurnTaken } from "troupe/teams";
 *
 * class Echo extends RoutedAgent {
 *   @rpc(TakeTurn)
 *   take({ messages }: MessageOf<typeof TakeTurn>) {
 *     return TurnTaken({ content: messages.at(-1)?.content ?? "" });
 *   }
 * }
 * ```
 *
 * @packageDocumentation
 */

export {
  type ChatMessage,
  RunTeam,
  type RunTeamFields,
  Said,
  type SaidFields,
  type SaidInput,
  StopTeam,
  type StopTeamFields,
  TakeTurn,
  type TakeTurnFields,
  type TakeTurnInput,
  TeamResult,
  type TeamResultFields,
  type TeamResultInput,
  type TokenCounts,
  TurnTaken,
  type TurnTakenFields,
  type TurnTakenInput,
  textParts,
  UiPart,
  type UiPartFields,
} from "./messages.ts";
export {
  type Ask,
  type HandoffOptions,
  handoffs,
  type Next,
  type Participant,
  type ParticipantOptions,
  participant,
  roundRobin,
  type SelectorOptions,
  type Speaker,
  type Speakers,
  selector,
  type Turn,
} from "./next.ts";
export { printTeam } from "./print-team.ts";
export { type FailedTurn, Team, type TeamOptions } from "./team.ts";
export type { Spoken, TeamRun, TeamState } from "./thread.ts";
export {
  all,
  any,
  type Check,
  type Condition,
  handoffTo,
  type MentionOptions,
  maxMessages,
  mention,
  saidBy,
  type TokenBounds,
  timeout,
  tokens,
  toolCalled,
  type Until,
} from "./until.ts";
