import { metadataKey, type WireMetadata } from "../../protocol/internal.ts";

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

const gatewayText = /^Agent not found(\.| and no compatible gateways were found\.)$/;

// protocol.md §2.2
/** Returns the metadata of a failed call, with the code where .NET's gateway says by its text alone that no agent is there. */
export function withGatewayCode(text: string, metadata: WireMetadata): WireMetadata {
  const isCoded = metadata[metadataKey.errorCode] !== undefined || metadata[metadataKey.errorType] !== undefined;
  if (isCoded || !gatewayText.test(text)) return metadata;
  return { ...metadata, [metadataKey.errorCode]: "undeliverable" };
}
