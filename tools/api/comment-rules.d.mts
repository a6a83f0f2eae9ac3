/** A public name, as far as the rules look at it. */
export interface ExportedName {
  readonly name: string;
  readonly source: string;
  readonly isDocumented: boolean;
  readonly mentions: readonly { readonly name: string; readonly source: string; readonly isInlined: boolean }[];
}

export interface PublicApi {
  readonly entryPoints: readonly { readonly name: string; readonly exports: readonly ExportedName[] }[];
  readonly declarations: ReadonlyMap<string, string>;
}

export function findCitations(api: PublicApi): string[];
export function findUndocumented(api: PublicApi): string[];
export function findUnnamed(api: PublicApi): string[];
