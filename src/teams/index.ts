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
  TakeTurn,
  type TakeTurnFields,
  type TakeTurnInput,
  TeamResult,
  type TeamResultFields,
  type TeamResultInput,
  TurnTaken,
  type TurnTakenFields,
  type TurnTakenInput,
  textParts,
  UiPart,
  type UiPartFields,
} from "./messages.ts";
