/** An environment: a generation of AutoGen's worker protocol that has a released Python package (protocol.md §1.1), or the newest one with AgentChat. */
export type VenvName = "gen1" | "gen2" | "gen3" | "agentchat";

/** A Python program and how to call it. */
export interface FoundPython {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
  readonly minor: number;
}

/** What became of one environment; `python` is set when it is usable. */
export interface VenvResult {
  readonly generation: VenvName;
  readonly status: "present" | "made" | "no-python" | "failed";
  readonly python?: string;
  readonly reason?: string;
}

export interface EnsureVenvsOptions {
  /** Default: all. */
  readonly only?: readonly VenvName[];
  /** Use this Python program only. */
  readonly python?: string;
  /** Make them anew even if present. */
  readonly remake?: boolean;
  readonly log?: (line: string) => void;
}

export const releases: Readonly<
  Record<
    VenvName,
    { readonly release: string; readonly requirements: readonly string[]; readonly newestPython: number }
  >
>;
export function findPythons(preferred?: string): FoundPython[];
export function findPython(generation?: VenvName, preferred?: string): FoundPython | undefined;
export function venvPython(generation: VenvName): string | undefined;
export function ensureVenvs(options?: EnsureVenvsOptions): Promise<VenvResult[]>;
