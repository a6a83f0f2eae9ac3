import type { ClusterMember, HostRecord } from "../../cluster/internal.ts";

/** The most addresses that one notice names, and the longest of them in characters. */
export const mostAddresses = 64;
const mostAddressChars = 512;

/** The hosts that take workers. */
export function takingHosts(member: ClusterMember): readonly HostRecord[] {
  return member.hosts
    .living()
    .filter(
      ({ state, workerAddress }) => state === "up" && workerAddress !== "" && workerAddress.length <= mostAddressChars,
    );
}

// protocol.md §11.19
/**
 * Returns the addresses of the hosts that take workers. Their order is another one each time, so that workers which leave a host spread over the
 * others. `withoutId`: a host that is left out.
 */
export function addressesOf(member: ClusterMember, random: () => number, withoutId?: string): readonly string[] {
  const addresses = takingHosts(member).flatMap(({ hostId, workerAddress }) =>
    hostId === withoutId ? [] : [workerAddress],
  );
  for (let at = addresses.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const [one = "", two = ""] = [addresses[at], addresses[other]];
    addresses[at] = two;
    addresses[other] = one;
  }
  return addresses.slice(0, mostAddresses);
}
