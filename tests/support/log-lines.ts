import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** A line that the source may log. */
export interface LogLine {
  readonly file: string;
  readonly level: string;
  /** What is inserted reads as `…`. A text that is made elsewhere reads as the kind under which the line is counted. */
  readonly text: string;
  /** Names of its fields; `…` for those that the source does not name in the same place. */
  readonly fields: readonly string[];
}

const levels = new Set(["debug", "info", "warn", "error"]);
/** What a logger is called in the source. */
const loggerName = /^(?:#?(?:log|logger|rateLimited)|limitedLogOf)$/;
const logging = /\.(?:debug|info|warn|error)\(|\bwarnOnce\(/;
/** What a text has at least besides what is inserted, so that an operator can look for it. */
const fewestLetters = 8;

/** The lines that the files of a folder may log, by calls of a logger. Nothing is run for it. */
export function logLines(root: string, folder: string): LogLine[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".ts") && !name.includes("/gen/"))
    .sort();
  return linesOf(new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")])));
}

/** The same for texts of files, by their names. */
export function linesOf(texts: ReadonlyMap<string, string>): LogLine[] {
  const reading = new Reading(texts);
  const lines = [...texts].flatMap(([file, text]) => (logging.test(text) ? reading.linesOf(file) : []));
  const known = new Map(lines.map((line) => [JSON.stringify(line), line]));
  return [...known.values()];
}

class Reading {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #calls = new Map<string, ts.CallExpression[]>();

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts;
  }

  linesOf(file: string): LogLine[] {
    const lines: LogLine[] = [];
    for (const node of this.#callsIn(file)) {
      const level = levelOf(node);
      const [said, fields, kind] = node.expression.getText() === "warnOnce" ? node.arguments.slice(1) : node.arguments;
      if (level === undefined || said === undefined) continue;
      const told = this.#told(said);
      const texts = told.every(saysMuch) || kind === undefined ? told : this.#told(kind);
      for (const text of texts) lines.push({ file, level, text, fields: this.#fields(fields) });
    }
    return lines;
  }

  #callsIn(file: string): readonly ts.CallExpression[] {
    const known = this.#calls.get(file);
    if (known !== undefined) return known;
    const calls: ts.CallExpression[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node)) calls.push(node);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, this.#texts.get(file) ?? "", ts.ScriptTarget.Latest, true));
    this.#calls.set(file, calls);
    return calls;
  }

  /** All texts that an expression may have. */
  #told(node: ts.Expression, depth = 0): string[] {
    const of = (inner: ts.Expression): string[] => this.#told(inner, depth + 1);
    if (depth > 8) return ["…"];
    if (ts.isStringLiteralLike(node)) return [node.text];
    if (ts.isParenthesizedExpression(node)) return of(node.expression);
    if (ts.isConditionalExpression(node)) return [...new Set([...of(node.whenTrue), ...of(node.whenFalse)])];
    if (ts.isBinaryExpression(node)) return joined([of(node.left), of(node.right)]);
    if (ts.isTemplateExpression(node)) return templateTexts(node, of);
    if (ts.isCallExpression(node) && /^loggable/.test(node.expression.getText()))
      return of(node.arguments.at(-1) ?? node);
    if (ts.isIdentifier(node)) {
      const found = this.#valuesOf(node).flatMap(of);
      if (found.length > 0) return [...new Set(found)];
    }
    return ["…"];
  }

  /** What a constant is, or what callers give for a parameter. */
  #valuesOf(name: ts.Identifier): ts.Expression[] {
    for (let scope: ts.Node = name.parent; scope !== undefined; scope = scope.parent) {
      if (ts.isFunctionLike(scope)) {
        const place = scope.parameters.findIndex((one) => one.name.getText() === name.text);
        if (place >= 0) return this.#given(scope, place);
      }
      if (!ts.isBlock(scope) && !ts.isSourceFile(scope) && !ts.isCaseOrDefaultClause(scope)) continue;
      const declared = scope.statements
        .filter(ts.isVariableStatement)
        .flatMap((one) => one.declarationList.declarations);
      const value = declared.find((one) => one.name.getText() === name.text)?.initializer;
      if (value !== undefined) return [value];
    }
    return [];
  }

  /** What the callers of a function give it in one place: those of its own file, or else those of all. */
  #given(called: ts.SignatureDeclaration, place: number): ts.Expression[] {
    const name = called.name?.getText();
    if (name === undefined) return [];
    const ofFile = (file: string): ts.Expression[] =>
      this.#callsIn(file)
        .filter(
          ({ expression }) =>
            (ts.isPropertyAccessExpression(expression) ? expression.name : expression).getText() === name,
        )
        .flatMap((call) => call.arguments[place] ?? []);
    const near = ofFile(called.getSourceFile().fileName);
    if (near.length > 0) return near;
    const others = [...this.#texts].filter(([, text]) => text.includes(`.${name}(`)).map(([file]) => file);
    return others.flatMap(ofFile).filter((one) => ts.isStringLiteralLike(one) || ts.isTemplateExpression(one));
  }

  #fields(node: ts.Expression | undefined): string[] {
    if (node === undefined || node.getText() === "undefined") return [];
    if (ts.isIdentifier(node)) {
      const [value, ...others] = this.#valuesOf(node);
      return value === undefined || others.length > 0 ? ["…"] : this.#fields(value);
    }
    if (!ts.isObjectLiteralExpression(node)) return ["…"];
    return node.properties.flatMap((one) => {
      if (ts.isSpreadAssignment(one)) return this.#fields(one.expression);
      return one.name === undefined ? [] : [one.name.getText()];
    });
  }
}

function levelOf({ expression }: ts.CallExpression): string | undefined {
  if (expression.getText() === "warnOnce") return "warn";
  if (!ts.isPropertyAccessExpression(expression)) return undefined;
  return levels.has(expression.name.text) && isLogger(expression.expression) ? expression.name.text : undefined;
}

function isLogger(node: ts.Expression): boolean {
  if (ts.isCallExpression(node)) return isLogger(node.expression);
  if (ts.isPropertyAccessExpression(node)) return loggerName.test(node.name.text);
  return ts.isIdentifier(node) && loggerName.test(node.text);
}

/** Inserted values are looked into only where the template says little without them. */
function templateTexts(node: ts.TemplateExpression, of: (node: ts.Expression) => string[]): string[] {
  const parts = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  const isOpen = !saysMuch(parts.join(""));
  return joined([
    [node.head.text],
    ...node.templateSpans.flatMap(({ expression, literal }) => [
      isOpen ? shown(of(expression)) : ["…"],
      [literal.text],
    ]),
  ]);
}

/** Names and numbers are `…`, as in other templates. */
function shown(texts: readonly string[]): string[] {
  return [...new Set(texts.map((text) => (saysMuch(text) ? text : "…")))];
}

function joined(parts: readonly string[][]): string[] {
  return parts.reduce((texts, part) => texts.flatMap((text) => part.map((one) => text + one)), [""]);
}

function saysMuch(text: string): boolean {
  return text.replaceAll(/[^a-zA-Z]/g, "").length >= fewestLetters;
}
