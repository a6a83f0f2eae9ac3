/** An entry point as far as its page shows it. */
export interface ReportedEntryPoint {
  readonly name: string;
  readonly exports: readonly { readonly name: string; readonly text: string }[];
}

export function updateReport(entryPoints: readonly ReportedEntryPoint[], folder?: string): void;
export function compareReport(entryPoints: readonly ReportedEntryPoint[], folder?: string): string[];
