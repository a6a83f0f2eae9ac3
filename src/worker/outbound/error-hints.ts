/** Texts of Troupe's and .NET's hosts, and the advice for each. Peers match on the texts, so that they stay unchanged on the wire. */
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

/** Returns the text of a failed call, with advice for the caller if the host gave none. */
export function withHint(text: string): string {
  const advice = hints.find(([pattern]) => pattern.test(text))?.[1];
  return advice === undefined ? text : `${text} ${advice}`;
}
