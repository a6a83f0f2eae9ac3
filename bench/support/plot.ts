import { formatNumber } from "./table.ts";

/** One panel of a plot, with figures of one unit. */
export interface GrowthPanel {
  readonly title: string;
  readonly unit: string;
  /** Line names by figure. */
  readonly figures: Readonly<Record<string, string>>;
}

export interface GrowthPlot {
  readonly title: string;
  /** Title of the growing quantity. */
  readonly axis: string;
  readonly panels: readonly GrowthPanel[];
}

export interface PlottedPoint {
  readonly at: number;
  readonly figures: Readonly<Record<string, number>>;
}

const colors = ["#1f5fa8", "#c2571a", "#2b7a4b"];
const panel = { width: 330, height: 220, left: 62, right: 18, top: 64, bottom: 46 };
const titleHeight = 40;
const ink = "#222";
const grid = "#ddd";

/**
 * Draws a standalone SVG for light and dark pages, with up to three panels side by side. The growing quantity has a logarithmic axis;
 * figures begin at 0.
 */
export function growthPlot({ title, axis, panels }: GrowthPlot, points: readonly PlottedPoint[]): string {
  const columns = panels.length > 3 ? Math.ceil(panels.length / 2) : panels.length;
  const width = columns * panel.width;
  const height = titleHeight + Math.ceil(panels.length / columns) * panel.height;
  const diagrams = panels.map((one, at) => {
    const [column, row] = [at % columns, Math.floor(at / columns)];
    const shift = `translate(${column * panel.width} ${titleHeight + row * panel.height})`;
    return `<g transform="${shift}">${diagram(one, axis, points)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12" fill="${ink}">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...diagrams,
    "</svg>\n",
  ].join("\n");
}

function diagram({ title, unit, figures }: GrowthPanel, axis: string, points: readonly PlottedPoint[]): string {
  const lines = Object.entries(figures);
  const values = lines.flatMap(([figure]) => points.map((point) => point.figures[figure] ?? 0));
  const ticks = ticksTo(Math.max(...values));
  const x = logScale(
    points.map(({ at }) => at),
    [panel.left, panel.width - panel.right],
  );
  const y = (value: number) =>
    panel.height - panel.bottom - (value / (ticks.at(-1) ?? 1)) * (panel.height - panel.bottom - panel.top);
  const floor = panel.height - panel.bottom;
  return [
    `<text x="16" y="18" font-weight="600">${escaped(`${title} (${unit})`)}</text>`,
    ...lines.map(([, name], at) => legend(name, at, lines.length)),
    ...ticks.map(
      (tick) =>
        `<path d="M${panel.left} ${round(y(tick))}H${panel.width - panel.right}" stroke="${grid}"/>` +
        `<text x="${panel.left - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${formatNumber(tick)}</text>`,
    ),
    ...points.map(
      ({ at }) => `<text x="${round(x(at))}" y="${floor + 18}" text-anchor="middle">${shortNumber(at)}</text>`,
    ),
    `<text x="${(panel.left + panel.width - panel.right) / 2}" y="${floor + 36}" text-anchor="middle">${escaped(axis)}</text>`,
    ...lines.map(([figure], at) =>
      line(
        points.map((point) => [x(point.at), y(point.figures[figure] ?? 0)]),
        at,
      ),
    ),
  ].join("\n");
}

function legend(name: string, at: number, count: number): string {
  if (count === 1) return "";
  const y = 36 + at * 15;
  return `<path d="M16 ${y - 4}h14" stroke="${colors[at]}" stroke-width="2.5"/><text x="35" y="${y}" font-size="11">${escaped(name)}</text>`;
}

function line(spots: readonly (readonly [number, number])[], at: number): string {
  const corners = spots.map(([x, y]) => `${round(x)},${round(y)}`);
  const dots = spots.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3" fill="${colors[at]}"/>`);
  return `<polyline points="${corners.join(" ")}" fill="none" stroke="${colors[at]}" stroke-width="2.5"/>${dots.join("")}`;
}

/** Maps values onto a range by their logarithms; a single value onto its middle. */
export function logScale(values: readonly number[], [from, to]: readonly [number, number]): (value: number) => number {
  const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
  if (low === high) return () => (from + to) / 2;
  return (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
}

/** Round numbers from 0 in equal steps; the last is the first that is not below `most`. */
export function ticksTo(most: number): readonly number[] {
  if (!(most > 0)) return [0, 1];
  const magnitude = 10 ** Math.floor(Math.log10(most / 4));
  const step = magnitude * ([1, 2, 2.5, 5].find((times) => most / (times * magnitude) <= 5) ?? 10);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

/** 1000 → "1k", 1000000 → "1M". */
function shortNumber(value: number): string {
  if (value >= 1_000_000) return `${formatNumber(value / 1_000_000)}M`;
  return value >= 1_000 ? `${formatNumber(value / 1_000)}k` : `${value}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
