/** The oldest server whose streams can be read and written as the adapter does. */
export const oldestVersion = "2.9.0";
/** The oldest server that keeps compare-and-set right over several servers. */
export const clusteredVersion = "2.11.0";
/** The oldest server that the guide advises. */
export const recommendedVersion = "2.12.3";

/** Says whether a version such as `2.10.4-beta.1` is at least another one. An unknown version is not. */
export function atLeast(version: string, wanted: string): boolean {
  const [given, least] = [numbersOf(version), numbersOf(wanted)];
  if (given === undefined || least === undefined) return false;
  for (let place = 0; place < 3; place += 1) {
    const difference = (given[place] ?? 0) - (least[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Says whether a version is one of those that could lose a stream when their process was killed. */
export function mayLoseStreams(version: string): boolean {
  return atLeast(version, "2.10.20") && !atLeast(version, "2.10.23");
}

function numbersOf(version: string): readonly number[] | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return found?.slice(1).map(Number);
}
