/** A generation of AutoGen's worker protocol that has a released Python package (protocol.md §1.1). */
export type GenerationName = "gen1" | "gen2" | "gen3";

/** A Python program and how to call it. */
export interface FoundPython {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
  readonly minor: number;
}

/** What became of one environment; `python` is set when it is usable. */
export interface VenvResult {
  readonly generation: GenerationName;
  readonly status: "present" | "made" | "no-python" | "failed";
  readonly python?: string;
  readonly reason?: string;
}

export interface EnsureVenvsOptions {
  /** Default: all. */
  readonly only?: readonly GenerationName[];
  /** Use this Python program only. */
  readonly python?: string;
  /** Make them anew even if present. */
  readonly remake?: boolean;
  readonly log?: (line: string) => void;
}

export const releases: Readonly<
  Record<
    GenerationName,
    { readonly release: string; readonly requirements: readonly string[]; readonly newestPython: number }
  >
>;
export function findPythons(preferred?: string): FoundPython[];
export function findPython(generation?: GenerationName, preferred?: string): FoundPython | undefined;
export function venvPython(generation: GenerationName): string | undefined;
export function ensureVenvs(options?: EnsureVenvsOptions): Promise<VenvResult[]>;
