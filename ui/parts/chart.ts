/** One line of a chart. Null: there is no value at this time. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly kind: "first" | "second" | "bad";
}

export const size = { width: 600, height: 120 } as const;

/** A round number that no value exceeds. */
export function topOf(series: readonly Series[]): number {
  const most = Math.max(0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
  if (most === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 5, 10].find((step) => step * power >= most) ?? 10) * power;
}

/** The path of a line, which ends on the right. It has gaps where there is no value. */
export function pathOf(values: readonly (number | null)[], top: number, places: number): string {
  const stepX = size.width / Math.max(1, places - 1);
  const startX = size.width - (values.length - 1) * stepX;
  let [path, isOpen] = ["", false];
  for (const [place, value] of values.entries()) {
    if (value === null) {
      isOpen = false;
      continue;
    }
    const [x, y] = [startX + place * stepX, size.height * (1 - value / top)];
    // A single value between two gaps is a dot.
    path += `${isOpen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${isOpen ? "" : "h0.1"}`;
    isOpen = true;
  }
  return path;
}
