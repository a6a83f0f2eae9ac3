/**
 * The exit codes of all commands. A script can tell by them what to do: start a host after 2, wait after 4, correct its own call after 1 and 3.
 */
export const exitCodes = {
  done: 0,
  /** A wrong flag, a problem that was found, or a failure that has no code of its own. */
  failed: 1,
  /** No host answers, or the connection was lost. */
  noHost: 2,
  /** The host refuses: rules, quotas, a token that it does not know, or a bound that is reached. */
  refused: 3,
  /** The time was over before there was an answer. */
  timedOut: 4,
  /** The agent was asked, and its handler has failed or refuses the message. */
  handlerFailed: 5,
  /** No worker serves the agent, or its worker has left. */
  noWorker: 6,
} as const;
