export interface Problem {
  readonly name: string;
  readonly line: number;
  readonly what: string;
}

/** The problems of a file's texts, in the order of its texts. */
export function lint(name: string, source: string): readonly Problem[];
