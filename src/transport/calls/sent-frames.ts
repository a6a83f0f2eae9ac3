/** Minimum number of recent frames that are remembered one by one. */
const minRemembered = 1_024;

/** Maximum number of batches of older, unconfirmed frames. Above it, pairs of batches are merged. */
const maxBatches = 1_024;

/** A group of older frames of which only the numbers are kept. */
interface Batch {
  readonly frames: number;
  readonly events: number;
}

/** Numbers that a stream gives about its sent frames. */
export interface SentState {
  /** Frames not yet handed to the network. */
  readonly queuedFrames: number;
  /** Frames handed to the network without proof of arrival. */
  readonly unconfirmedFrames: number;
}

/**
 * Remembers which of the frames sent on a stream were events. When the stream ends, this tells how many events were
 * lost.
 */
export class SentFrames {
  /** Run lengths, oldest first: positive for events, negative for other frames. */
  #runs: number[] = [];
  #remembered = 0;
  #forgetAt = 2 * minRemembered;
  /** Frames before those in `#runs`, oldest first. */
  #batches: Batch[] = [];

  note(isEvent: boolean, stream: SentState): void {
    const step = isEvent ? 1 : -1;
    const last = this.#runs.at(-1) ?? 0;
    if (last * step > 0) this.#runs[this.#runs.length - 1] = last + step;
    else this.#runs.push(step);
    this.#remembered += 1;
    if (this.#remembered >= this.#forgetAt) this.#forget(stream);
  }

  /**
   * Counts the events among the last `frames` frames. Exact for frames remembered one by one; an upper bound for older
   * ones.
   */
  eventsAmongLast(frames: number): number {
    let events = 0;
    let left = frames;
    for (let at = this.#runs.length - 1; at >= 0 && left > 0; at -= 1) {
      const run = this.#runs[at] ?? 0;
      const length = Math.min(Math.abs(run), left);
      if (run > 0) events += length;
      left -= length;
    }
    for (let at = this.#batches.length - 1; at >= 0 && left > 0; at -= 1) {
      const batch = this.#batches[at] ?? { frames: 0, events: 0 };
      events += Math.min(batch.events, left);
      left -= batch.frames;
    }
    return events;
  }

  #forget({ queuedFrames, unconfirmedFrames }: SentState): void {
    const keep = Math.max(queuedFrames, minRemembered);
    let first = 0;
    let frames = 0;
    let events = 0;
    for (
      let run = this.#runs[0];
      run !== undefined && this.#remembered - Math.abs(run) >= keep;
      run = this.#runs[first]
    ) {
      this.#remembered -= Math.abs(run);
      frames += Math.abs(run);
      events += Math.max(run, 0);
      first += 1;
    }
    this.#runs = this.#runs.slice(first);
    this.#forgetAt = 2 * Math.max(this.#remembered, minRemembered);
    if (frames > 0) this.#batches.push({ frames, events });
    this.#forgetBatches(queuedFrames + unconfirmedFrames - this.#remembered);
  }

  /** Keeps the batches that hold the last `frames` older frames, and at most `maxBatches`. */
  #forgetBatches(frames: number): void {
    let left = frames;
    let first = this.#batches.length;
    for (; first > 0 && left > 0; first -= 1) left -= this.#batches[first - 1]?.frames ?? 0;
    this.#batches = this.#batches.slice(first);
    if (this.#batches.length > maxBatches) this.#batches = inPairs(this.#batches);
  }
}

function inPairs(batches: readonly Batch[]): Batch[] {
  const pairs: Batch[] = [];
  for (let at = 0; at < batches.length; at += 2) {
    const [one, other] = [batches[at], batches[at + 1]];
    if (one === undefined) break;
    pairs.push(other === undefined ? one : { frames: one.frames + other.frames, events: one.events + other.events });
  }
  return pairs;
}
