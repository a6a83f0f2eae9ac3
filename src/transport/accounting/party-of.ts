import type { MemoryAccount } from "./memory-account.ts";

/** Groups of an IPv6 address that name a network: a client that has one of its addresses usually has all of them. */
const networkGroups = 4;

/**
 * The party that a peer address belongs to: addresses share one when one client can have them all. An IPv4 address is its own; of an
 * IPv6 address the first 64 bits count. Undefined, for a Unix socket: all local peers are one.
 */
export function partyOf(address: string | undefined): string {
  if (address === undefined) return "local socket";
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
  if (!plain.includes(":")) return plain;
  const [before = "", after] = plain.split("%", 1)[0]?.split("::") ?? [];
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? [] : new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0");
  return `${[...head, ...zeros, ...tail].slice(0, networkGroups).join(":")}::/64`;
}

/** The party of the peer that makes a call. All callers of a listener that counts nothing are one. */
export function partyOfCall({ account }: { readonly account?: MemoryAccount | undefined }): string {
  return account?.party ?? "";
}
