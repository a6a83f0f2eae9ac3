import { type Holder, Standings } from "./standings.ts";

/** A party gives way only if it has so many times what the other then has. Of two that are alike, neither loses anything. */
const farMore = 2;

/** Options of a `FairCount`. */
export interface FairCountOptions {
  /** Places of all parties together. */
  readonly max: number;
  /** Called before a party loses its newest place. It must not throw. */
  readonly onGaveWay: (lost: LostPlace) => void;
}

/** A place that others needed. */
export interface LostPlace {
  readonly party: string;
  /** Places that the party had, this one included. */
  readonly held: number;
  readonly max: number;
}

/** One of the places of a `FairCount`. */
export interface Place {
  /** Gives the place back. The second time, and after it was lost, it does nothing. */
  leave(): void;
}

/** The places of one party: peers that share an address. */
class PartyPlaces implements Holder {
  readonly name: string;
  newest: TakenPlace | undefined;
  held = 0;
  level = 0;
  levelFrom = 0;
  levelTo = 0;

  constructor(name: string) {
    this.name = name;
  }
}

class TakenPlace implements Place {
  readonly party: PartyPlaces;
  readonly giveWay: () => void;
  readonly #onLeft: (place: TakenPlace) => void;
  older: TakenPlace | undefined;
  newer: TakenPlace | undefined;
  #isTaken = true;

  constructor(party: PartyPlaces, giveWay: () => void, onLeft: (place: TakenPlace) => void) {
    this.party = party;
    this.giveWay = giveWay;
    this.#onLeft = onLeft;
    this.older = party.newest;
    if (party.newest !== undefined) party.newest.newer = this;
    party.newest = this;
  }

  leave(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    if (this.newer === undefined) this.party.newest = this.older;
    else this.newer.older = this.older;
    if (this.older !== undefined) this.older.newer = this.newer;
    this.#onLeft(this);
  }
}

/**
 * Shares a bounded number of places between parties. While there is a free one, anybody may take it. Then the party with the most
 * places loses its newest to one that would have at most half as many. So a party that is alone has all, and no party keeps
 * another out. Each change costs the same, however many places there are.
 */
export class FairCount {
  readonly #max: number;
  readonly #onGaveWay: (lost: LostPlace) => void;
  readonly #parties = new Map<string, PartyPlaces>();
  readonly #standings = new Standings<PartyPlaces>(1);
  #size = 0;

  constructor({ max, onGaveWay }: FairCountOptions) {
    this.#max = max;
    this.#onGaveWay = onGaveWay;
  }

  /** Places that are taken. */
  get size(): number {
    return this.#size;
  }

  /** Places that the party has. */
  heldBy(party: string): number {
    return this.#parties.get(party)?.held ?? 0;
  }

  /** Returns whether the party may take a place now. Another may have to give way for that. */
  mayTake(party: string): boolean {
    if (this.#size < this.#max) return true;
    const wanted = (this.#parties.get(party)?.held ?? 0) + 1;
    const most = this.#standings.top();
    if (most?.newest === undefined || most.held < farMore * wanted) return false;
    const { name, held, newest } = most;
    newest.leave();
    this.#onGaveWay({ party: name, held, max: this.#max });
    newest.giveWay();
    return true;
  }

  /**
   * Takes a place that `mayTake` has allowed; it checks no bound. `giveWay` is called when another party needed the place, which is free
   * by then. The code that needs it is still running: `giveWay` must not start anything that depends on its outcome.
   */
  take(party: string, giveWay: () => void): Place {
    let places = this.#parties.get(party);
    if (places === undefined) {
      places = new PartyPlaces(party);
      this.#parties.set(party, places);
    }
    const place = new TakenPlace(places, giveWay, ({ party: left }) => this.#change(left, -1));
    this.#change(places, 1);
    return place;
  }

  #change(places: PartyPlaces, count: number): void {
    this.#size += count;
    places.held += count;
    this.#standings.update(places);
    if (places.held === 0) this.#parties.delete(places.name);
  }
}
