/** The part of the slots that one call takes. */
export interface SlotUse {
  /** Peer address of the worker that serves the agent. Empty: none does, or this process has all agents. */
  readonly party: string;
  readonly agentType: string;
  /** Length of the message. */
  readonly bytes: number;
}

/** Calls that are under way at most, and the bytes of their messages. */
const most = { calls: 1_000, bytes: 16 * 1024 * 1024 } as const;
/** An address may have so many times what is free: two thirds if it is alone. A type: a half. */
const freePartsOf = { party: 2, type: 1 } as const;

/** The calls under way for one address or one type. */
interface Held {
  calls: number;
  bytes: number;
}

type Granted = () => void;

/** Those of one address that wait for a slot, by agent type. */
type WaitingTypes = Map<string, Set<{ readonly use: SlotUse; readonly granted: Granted }>>;

/**
 * The slots of calls that are under way. Agents that never answer take the share of their type and of their address, so that there is a
 * slot for others.
 */
export class CourierSlots {
  readonly #all: Held = { calls: 0, bytes: 0 };
  readonly #parties = new Map<string, Held>();
  readonly #types = new Map<string, Held>();
  readonly #waiting = new Map<string, WaitingTypes>();
  #isGranting = false;

  /** Takes a slot; false: none is free for this use, and `granted` is called once, later, with the slot taken. */
  take(use: SlotUse, granted: Granted): boolean {
    if (this.#may(use)) {
      this.#add(use, 1);
      return true;
    }
    const ofParty: WaitingTypes = this.#waiting.get(use.party) ?? new Map();
    this.#waiting.set(use.party, ofParty);
    const ofType = ofParty.get(use.agentType) ?? new Set();
    ofParty.set(use.agentType, ofType.add({ use, granted }));
    return false;
  }

  /** Gives a slot back. */
  free(use: SlotUse): void {
    this.#add(use, -1);
    if (this.#waiting.size === 0) return;
    // What is granted may end at once, and free its slot again.
    if (this.#isGranting) return;
    this.#isGranting = true;
    try {
      while (this.#grantEach());
    } finally {
      this.#isGranting = false;
    }
  }

  /** Grants one slot to each type that may have one, in turns of the addresses. False: none may. */
  #grantEach(): boolean {
    let hasGranted = false;
    for (const [party, ofParty] of [...this.#waiting]) {
      for (const [type, waiting] of [...ofParty]) {
        if (this.#all.calls >= most.calls) return false;
        const [first] = waiting;
        if (first === undefined || !this.#may(first.use)) {
          if (this.#isPartyFull(party)) break;
          continue;
        }
        waiting.delete(first);
        // The next turn begins with other types, and with other addresses.
        ofParty.delete(type);
        if (waiting.size > 0) ofParty.set(type, waiting);
        this.#waiting.delete(party);
        if (ofParty.size > 0) this.#waiting.set(party, ofParty);
        this.#add(first.use, 1);
        hasGranted = true;
        first.granted();
      }
    }
    return hasGranted;
  }

  #may({ party, agentType, bytes }: SlotUse): boolean {
    if (this.#all.calls >= most.calls) return false;
    return (
      this.#fits(this.#types.get(agentType), bytes, freePartsOf.type) &&
      (party === "" || this.#fits(this.#parties.get(party), bytes, freePartsOf.party))
    );
  }

  /** A first message may have any length. */
  #fits(held: Held | undefined, bytes: number, freeParts: number): boolean {
    if (held === undefined) return true;
    const { calls, bytes: allBytes } = this.#all;
    return (
      held.calls + 1 <= freeParts * (most.calls - calls) && held.bytes + bytes <= freeParts * (most.bytes - allBytes)
    );
  }

  #isPartyFull(party: string): boolean {
    return party !== "" && !this.#fits(this.#parties.get(party), 0, freePartsOf.party);
  }

  #add(use: SlotUse, sign: 1 | -1): void {
    change(this.#all, use, sign);
    changeIn(this.#parties, use.party, { use, sign });
    changeIn(this.#types, use.agentType, { use, sign });
  }
}

function changeIn(
  table: Map<string, Held>,
  name: string,
  { use, sign }: { readonly use: SlotUse; readonly sign: 1 | -1 },
): void {
  let held = table.get(name);
  if (held === undefined) {
    held = { calls: 0, bytes: 0 };
    table.set(name, held);
  }
  change(held, use, sign);
  if (held.calls === 0) table.delete(name);
}

function change(held: Held, { bytes }: SlotUse, sign: 1 | -1): void {
  held.calls += sign;
  held.bytes += sign * bytes;
}
