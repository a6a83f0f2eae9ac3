/** So many of the latest frames are remembered in any case. */
const mostRemembered = 1_024;

/** What the latest frames sent to a worker were, in runs: when its channel ends, some of them have not left. */
export class SentFrames {
  /** Lengths of runs, the oldest first: above 0 of events, below 0 of others. */
  #runs: number[] = [];
  #remembered = 0;
  #forgetAt = 2 * mostRemembered;

  /** `queuedFrames`: how many have not left yet. */
  note(isEvent: boolean, queuedFrames: number): void {
    const step = isEvent ? 1 : -1;
    const last = this.#runs.at(-1) ?? 0;
    if (last * step > 0) this.#runs[this.#runs.length - 1] = last + step;
    else this.#runs.push(step);
    this.#remembered += 1;
    if (this.#remembered >= this.#forgetAt) this.#forget(Math.max(queuedFrames, mostRemembered));
  }

  /** How many of the last so many frames were events. */
  eventsAmongLast(frames: number): number {
    let events = 0;
    let left = frames;
    for (let at = this.#runs.length - 1; at >= 0 && left > 0; at -= 1) {
      const run = this.#runs[at] ?? 0;
      const length = Math.min(Math.abs(run), left);
      if (run > 0) events += length;
      left -= length;
    }
    return events;
  }

  #forget(keep: number): void {
    let first = 0;
    for (
      let run = this.#runs[0];
      run !== undefined && this.#remembered - Math.abs(run) >= keep;
      run = this.#runs[first]
    ) {
      this.#remembered -= Math.abs(run);
      first += 1;
    }
    this.#runs = this.#runs.slice(first);
    this.#forgetAt = 2 * Math.max(this.#remembered, mostRemembered);
  }
}
