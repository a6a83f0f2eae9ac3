import { formatAddress, parseAddress, type TransportAddress } from "../../transport/internal.ts";

// protocol.md §11.19 E9
/**
 * The addresses of hosts at which a worker tries to connect: those of its configuration, in their order. A host of a cluster tells which hosts
 * there are. Those come first then.
 */
export class HostList {
  readonly #configured: readonly string[];
  readonly #random: () => number;
  #told: readonly string[] = [];
  /** The address that was reached last. */
  #reached: string | undefined;

  constructor(configured: readonly string[], random: () => number) {
    this.#configured = configured;
    this.#random = random;
  }

  get size(): number {
    return this.#all().length;
  }

  /** Takes the addresses that a host has told. They are shuffled, so that the workers of a lost host spread over the others. */
  tell(addresses: readonly string[]): void {
    this.#told = shuffled(this.#usable(addresses), this.#random);
  }

  /** Takes the addresses that a leaving host has told, the best first. */
  recommend(addresses: readonly string[]): void {
    this.#told = this.#usable(addresses);
  }

  reached(address: string): void {
    this.#reached = address;
  }

  /**
   * Returns all addresses in the order in which the worker tries them. It begins with the one that it reached last. `isMoving`: that one is
   * last, because its host leaves.
   */
  inOrder({ isMoving }: { readonly isMoving: boolean }): readonly string[] {
    const all = this.#all();
    const isTold = this.#told.length > 0;
    const at = Math.max(0, this.#reached === undefined ? 0 : all.indexOf(this.#reached));
    // At another host of the cluster the worker goes on at once. Without a cluster its own host may just restart.
    if (isTold)
      return this.#reached === undefined ? all : [...all.filter((one) => one !== this.#reached), this.#reached];
    const first = isMoving ? at + 1 : at;
    return all.map((_address, index) => all[(first + index) % all.length] ?? "");
  }

  #usable(addresses: readonly string[]): readonly string[] {
    const isSecure = this.#configured.some((address) => readAddress(address)?.secure === true);
    return [...new Set(addresses.flatMap((told) => dialledForm(told, isSecure) ?? []))];
  }

  #all(): readonly string[] {
    return [...this.#told, ...this.#configured.filter((address) => !this.#told.includes(address))];
  }
}

/** Printable characters alone: the worker logs the addresses to which it connects. */
const printable = /^[!-~]+$/;

/** Returns a told address in the form of those that were configured; undefined for one that no worker could mean. */
function dialledForm(told: string, isSecure: boolean): string | undefined {
  const address = printable.test(told) ? readAddress(told) : undefined;
  if (address?.kind !== "tcp") return undefined;
  // A host tells no scheme. One without TLS must not get what this worker sends with TLS.
  return isSecure && !address.secure ? `https://${formatAddress(address)}` : told;
}

function readAddress(text: string): TransportAddress | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}

function shuffled(addresses: readonly string[], random: () => number): readonly string[] {
  const left = [...addresses];
  const order: string[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}
