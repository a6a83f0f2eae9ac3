import { metadataKey, type WireMetadata } from "../../protocol/internal.ts";

const notFound = /^Agent not found(\.| and no compatible gateways were found\.)$/;

// protocol.md §2.2
/** Returns the metadata of a failed call, with the code where .NET's gateway says by its text alone that no agent is there. */
export function withGatewayCode(text: string, metadata: WireMetadata): WireMetadata {
  const isCoded = metadata[metadataKey.errorCode] !== undefined || metadata[metadataKey.errorType] !== undefined;
  if (isCoded || !notFound.test(text)) return metadata;
  return { ...metadata, [metadataKey.errorCode]: "undeliverable" };
}
