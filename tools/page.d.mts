/** Builds the page for operators into a folder below the project's, if its sources have changed. Returns the folder. */
export function ensurePage(folder: string): Promise<string>;
