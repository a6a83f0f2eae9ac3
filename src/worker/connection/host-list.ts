import { parseAddress } from "../../transport/internal.ts";

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
    this.#told = shuffled(usable(addresses), this.#random);
  }

  /** Takes the addresses that a leaving host has told, the best first. */
  recommend(addresses: readonly string[]): void {
    this.#told = usable(addresses);
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

  #all(): readonly string[] {
    return [...this.#told, ...this.#configured.filter((address) => !this.#told.includes(address))];
  }
}

/** The worker can't read others, or they come twice. */
function usable(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses)].filter(isReadable);
}

function isReadable(address: string): boolean {
  try {
    parseAddress(address);
    return true;
  } catch {
    return false;
  }
}

function shuffled(addresses: readonly string[], random: () => number): readonly string[] {
  const left = [...addresses];
  const order: string[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}
