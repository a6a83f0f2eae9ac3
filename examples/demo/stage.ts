const colourful = process.stdout.isTTY === true && !process.env.NO_COLOR;
const codes = { bold: 1, dim: 2, green: 32, yellow: 33, cyan: 36, magenta: 35, blue: 34, red: 31 } as const;

export type Colour = keyof typeof codes;

/** Colours a text if the terminal supports colours; returns it unchanged otherwise. */
export function paint(colour: Colour, text: string): string {
  return colourful ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
}

const voices: Readonly<Record<string, Colour>> = { host: "cyan", north: "blue", south: "magenta", python: "yellow" };
let steps = 0;

/** Prints the title of a new scene. */
export function scene(title: string): void {
  steps += 1;
  console.log(`\n${paint("bold", `${steps}. ${title}`)}`);
}

/** Prints a line from one of the processes. */
export function hear(name: string, line: string): void {
  console.log(`   ${paint(voices[name] ?? "dim", name.padEnd(6))} ${paint("dim", "│")} ${line}`);
}

/** Prints an observation of this process. */
export function note(line: string): void {
  console.log(`   ${paint("green", "→")} ${line}`);
}
