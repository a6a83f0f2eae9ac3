import { createHash } from "node:crypto";
import type { AgentName } from "../../core/internal.ts";

/**
 * Makes the id of an agent: the SHA-256 of its name in UTF-8, as hex. An index of PostgreSQL does not take a name of 1,024 characters.
 */
export function idOfAgent({ type, key }: AgentName): string {
  return hashOf(type, key);
}

/** Makes the id under which the mail of an agent type is counted: the SHA-256 of its name. */
export function idOfType(type: string): string {
  return createHash("sha256").update(type).digest("hex");
}

/** Makes the id of a remembered message of one agent. */
export function idOfMessage(principal: string, id: string): string {
  return hashOf(principal, id);
}

/** Makes the id under which a mailbox knows a message. */
export function idOfMail(mailbox: AgentName, id: string): string {
  return hashOf(idOfAgent(mailbox), id);
}

/** The advisory locks of one schema. PostgreSQL takes whole numbers of 64 bits. */
export interface LockKeys {
  /** The holder has it as long as its store is open. Stores of the mode `many` share it. */
  readonly holder: string;
  /** Each write shares it; an opening has it alone. */
  readonly fence: string;
  /** A group that writes to the table of mail has it, so that places become visible in their order. */
  readonly mail: string;
  /** A store that makes or migrates the tables has it. */
  readonly schema: string;
  /** Added to the key of each agent. */
  readonly salt: bigint;
}

export function lockKeysOf(schema: string): LockKeys {
  const keyOf = (use: string): bigint => BigInt.asIntN(64, BigInt(`0x${hashOf(schema, use).slice(0, 16)}`));
  return {
    holder: String(keyOf("holder")),
    fence: String(keyOf("fence")),
    mail: String(keyOf("mail")),
    schema: String(keyOf("schema")),
    salt: keyOf("agents"),
  };
}

/** The keys of agents' advisory locks, in the order in which every group takes them, so that no two wait for each other. */
export function lockKeysOfAgents(ids: Iterable<string>, salt: bigint): string[] {
  return [...new Set(ids)].sort().map((id) => String(BigInt.asIntN(64, BigInt(`0x${id.slice(0, 16)}`) ^ salt)));
}

function hashOf(first: string, second: string): string {
  const length = new Uint8Array(4);
  const bytes = Buffer.from(first);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return createHash("sha256").update(length).update(bytes).update(second).digest("hex");
}
