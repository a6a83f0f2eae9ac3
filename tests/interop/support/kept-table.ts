/** Where a document keeps a table that tests write: between two comments that name it. */
export function keptTable(name: string): string {
  return `${begin(name)}${end(name)}`;
}

/** The kept table, or undefined when the document has no place for it. */
export function tableIn(document: string, name: string): string | undefined {
  const from = document.indexOf(begin(name));
  const to = document.indexOf(end(name));
  return from < 0 || to < from ? undefined : document.slice(from + begin(name).length, to);
}

export function withTable(document: string, name: string, table: string): string {
  const from = document.indexOf(begin(name)) + begin(name).length;
  return document.slice(0, from) + table + document.slice(document.indexOf(end(name)));
}

const begin = (name: string) => `<!-- ${name}: written by \`npm run test:interop -- --update\` -->\n`;
const end = (name: string) => `\n<!-- end of ${name} -->`;
