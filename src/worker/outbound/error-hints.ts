/** Texts of hosts, ours and .NET's, that say what happened and not what to do; peers match on them, so they stay as they are on the wire. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /^(Agent type \S+ not found\.|Agent not found\.|Agent not found and no compatible gateways were found\.)$/,
    "Start a worker that registers the type, or correct it in the call.",
  ],
  [
    /^Client for agent type \S+ disconnected\.$/,
    "The call may have been handled: send it again only if that does no harm.",
  ],
];

/** The text of a failed call, with what its caller can do next where the host's text does not say it. */
export function withHint(text: string): string {
  const advice = hints.find(([pattern]) => pattern.test(text))?.[1];
  return advice === undefined ? text : `${text} ${advice}`;
}
