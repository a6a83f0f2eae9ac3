import type { ClusterMember } from "../../cluster/internal.ts";

/** The most addresses that one notice names, and the longest of them in characters. */
const mostAddresses = 64;
const mostAddressChars = 512;

// protocol.md §11.19
/**
 * Returns the addresses of the hosts that take workers. Their order is another one each time, so that workers which leave a host spread over the
 * others. `withoutId`: a host that is left out.
 */
export function addressesOf(member: ClusterMember, random: () => number, withoutId?: string): readonly string[] {
  const addresses: string[] = [];
  for (const { hostId, state, workerAddress } of member.hosts.living()) {
    const isUsable = state === "up" && workerAddress !== "" && workerAddress.length <= mostAddressChars;
    if (isUsable && hostId !== withoutId) addresses.push(workerAddress);
  }
  for (let at = addresses.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const [one = "", two = ""] = [addresses[at], addresses[other]];
    addresses[at] = two;
    addresses[other] = one;
  }
  return addresses.slice(0, mostAddresses);
}
